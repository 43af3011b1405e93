// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The last 3x3 convolution on bits fused with the 1x1 head and argmax: nothing between them reaches
// memory.
//
// Reads bits [batch][height][width][bytes], writes labels uint8 [batch][rows][columns], cropped to
// the image without padding, and where asked for the winner's softmax, float32 of the same shape.
//
// The head is a product on int8 Tensor Cores, whose operand is a thread's sums as they lie, as
// bytes. Of a head that reads bits they are 0 (bit set) and -1 (not), and the bias contains the sum
// of the weights that makes up for it. Of one that reads sums they are these less their thresholds,
// clipped; see Head in mbu_ros/model/deployed.py.
#include "bit_conv.cuh"
#include "multiply_mma.cuh"
#include "multiply_wgmma.cuh"

namespace mbu {

struct Head {
  // [class tile of 8][K step of 32 channels][2][lane], fragments of the product.
  const unsigned* weights;
  const int* bias;  // [8 * class tiles], INT_MIN beyond the last class
  int classes;
  float scale;  // trained logit per unit of the integer logit
  int lowest;   // the least that it reads of a sum, -128 or 0; 1 where it reads bits
};

struct Labels {
  unsigned char* labels;
  float* confidence;
  int rows, columns;
  int with_confidence;
};

// Four bytes, -1 where the number is negative, else 0.
__device__ __forceinline__ unsigned sign_bytes(int a, int b, int c, int d) {
  const uint32_t low = permute_bytes<0x00fb>(a, b), high = permute_bytes<0x00fb>(c, d);
  return permute_bytes<0x5410>(low, high);
}

// Four bytes, each the number clipped to [lowest, 127].
__device__ __forceinline__ unsigned clipped_bytes(int a, int b, int c, int d, int lowest) {
  return saturated_bytes(max(a, lowest), max(b, lowest), max(c, lowest), max(d, lowest));
}

template <class Multiply, int kThreads>
__device__ __forceinline__ void last_conv(const Sources& sources, const Weights& weights,
                                          const Rings& rings, const Head& head,
                                          const Labels& labels) {
  static_assert(Multiply::kWarpColumns == Multiply::kColumns, "a thread needs all channels");
  const auto classify = [&](const Result<Multiply>& result, const Place& tile) {
    constexpr int kSteps = Multiply::kColumns / 32;
    constexpr int kPixels = Result<Multiply>::kPixels;
    static_assert(kPixels == 4, "each of four threads writes one pixel");
    const int lane = threadIdx.x % 32, t = lane % 4;
    const bool reads_bits = head.lowest == 1;
    unsigned a[kPixels][kSteps][2];
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      const int count = result.window_count(i);
#pragma unroll
      for (int step = 0; step < kSteps; ++step)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int j = 4 * step + 2 * half;
          const int m[4] = {result.margin(i, j, 0, count), result.margin(i, j, 1, count),
                            result.margin(i, j + 1, 0, count), result.margin(i, j + 1, 1, count)};
          a[i][step][half] = reads_bits ? sign_bytes(m[0], m[1], m[2], m[3])
                                        : clipped_bytes(m[0], m[1], m[2], m[3], head.lowest);
        }
    }

    // Calls use(pixel, class, logit) for this thread's classes, ascending, of each pixel.
    const auto for_each_logit = [&](const auto& use) {
      for (int tile = 0; tile * 8 < head.classes; ++tile) {
        const int2 bias = __ldg(reinterpret_cast<const int2*>(head.bias + 8 * tile + 2 * t));
        const int start[4] = {bias.x, bias.y, bias.x, bias.y};
        int logits[kPixels / 2][4];
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
          const unsigned* b = head.weights + (tile * kSteps + step) * 64 + lane;
          const unsigned b0 = __ldg(b), b1 = __ldg(b + 32);
#pragma unroll
          for (int i = 0; i < kPixels / 2; ++i) {
            if (step == 0)
              multiply_bytes(logits[i], start, a[2 * i][step][0], a[2 * i + 1][step][0],
                             a[2 * i][step][1], a[2 * i + 1][step][1], b0, b1);
            else
              multiply_bytes(logits[i], logits[i], a[2 * i][step][0], a[2 * i + 1][step][0],
                             a[2 * i][step][1], a[2 * i + 1][step][1], b0, b1);
          }
        }
#pragma unroll
        for (int i = 0; i < kPixels; ++i) {
          use(i, 8 * tile + 2 * t, logits[i / 2][i % 2 * 2]);
          use(i, 8 * tile + 2 * t + 1, logits[i / 2][i % 2 * 2 + 1]);
        }
      }
    };

    int best[kPixels], label[kPixels];
#pragma unroll
    for (int i = 0; i < kPixels; ++i) best[i] = INT32_MIN, label[i] = INT32_MAX;
    for_each_logit([&](int i, int class_, int logit) {
      if (logit > best[i]) best[i] = logit, label[i] = class_;
    });
#pragma unroll
    for (int other = 1; other <= 2; other *= 2)
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        const int their_best = __shfl_xor_sync(0xffffffff, best[i], other);
        const int their_label = __shfl_xor_sync(0xffffffff, label[i], other);
        if (their_best > best[i] || (their_best == best[i] && their_label < label[i]))
          best[i] = their_best, label[i] = their_label;
      }

    float sum[kPixels] = {};
    if (labels.with_confidence) {
      for_each_logit([&](int i, int class_, int logit) {
        if (class_ < head.classes)
          sum[i] += expf(static_cast<float>(static_cast<long long>(logit) - best[i]) * head.scale);
      });
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        sum[i] += __shfl_xor_sync(0xffffffff, sum[i], 1);
        sum[i] += __shfl_xor_sync(0xffffffff, sum[i], 2);
      }
    }
    // All four threads know all four pixels; each writes one.
    int row = 0, column = 0;
#pragma unroll
    for (int i = 0; i < kPixels; ++i)
      if (i == t) {
        row = tile.row + Multiply::row() + Multiply::row_offset(i);
        column = tile.column + Multiply::column() + Multiply::column_offset(i);
        label[0] = label[i], sum[0] = sum[i];
      }
    // Beyond the last tile, the row is outside of the padded image.
    if (row >= labels.rows || column >= labels.columns) return;
    const int to = (tile.image * labels.rows + row) * labels.columns + column;
    labels.labels[to] = label[0];
    if (labels.with_confidence) labels.confidence[to] = 1 / sum[0];
  };
  convolve<Multiply, kThreads>(sources, weights, rings, [&] {
    return [&](const Place& tile) {
      return [&, tile](const Result<Multiply>& result) { classify(result, tile); };
    };
  });
}

}  // namespace mbu

// NAME(input, input bytes per pixel, batch, height, width,
//      weights, offsets, weight stages of a slice, input stages, weight stages of the ring,
//      head weights, head bias, classes, scale, lowest, labels, confidence, rows, columns,
//      with confidence)
#define MBU_LAST_CONV(NAME, THREADS, ...)                                                        \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                       \
      NAME(const unsigned char* input, int input_bytes, int batch, int height, int width,        \
           const unsigned char* weights, const int* offsets, int slice_stages, int input_stages, \
           int weight_stages, const unsigned* head_weights, const int* head_bias, int classes,   \
           float scale, int lowest, unsigned char* labels, float* confidence, int rows,          \
           int columns, int with_confidence) {                                                   \
    mbu::last_conv<__VA_ARGS__, THREADS>(                                                        \
        {input, input, input_bytes, 1, batch, height, width}, {weights, offsets, slice_stages},  \
        {input_stages, weight_stages}, {head_weights, head_bias, classes, scale, lowest},        \
        {labels, confidence, rows, columns, with_confidence});                                   \
  }

#define MBU_LAST_CONV_OPERANDS(KIND, MULTIPLY, ...)                                           \
  MBU_LAST_CONV(last_conv_##KIND##_ternary64_64, 512,                                         \
                mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kTernary64, 9, 1>, 64 __VA_ARGS__>) \
  MBU_LAST_CONV(last_conv_##KIND##_ternary_128, 256,                                          \
                mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kTernary, 9, 1>, 128 __VA_ARGS__>)  \
  MBU_LAST_CONV(last_conv_##KIND##_binary128_128, 256,                                        \
                mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kBinary128, 9, 1>, 128 __VA_ARGS__>)

#define MBU_ONE_WARP_ACROSS , 1
MBU_LAST_CONV_OPERANDS(mma, MultiplyMma, MBU_ONE_WARP_ACROSS)
#if MBU_HAS_WGMMA
MBU_LAST_CONV_OPERANDS(wgmma, MultiplyWgmma)
#endif
