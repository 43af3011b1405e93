// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// 3x3 convolution on bits, threshold, and where asked for 2x2 max pooling of the result.
//
// Reads one or two tensors of bits [batch][height][width][bytes], writes bits of the same height
// and width, and the pooled ones at half of both. Borders are padded with 0.
#include "bit_conv.cuh"
#include "multiply_mma.cuh"
#include "multiply_wgmma.cuh"

namespace mbu {

struct Output {
  unsigned char* full;    // [batch][height][width][bytes]
  unsigned char* pooled;  // [batch][height / 2][width / 2][bytes]
  int bytes;              // per pixel
  int pool;               // 0: do not write `pooled`
};

template <class Multiply, int kThreads>
__device__ __forceinline__ void conv3x3(const Sources& sources, const Weights& weights,
                                        const Rings& rings, const Output& output) {
  convolve<Multiply, kThreads>(sources, weights, rings, [&] {
    const int byte = (blockIdx.y * Multiply::kColumns + Result<Multiply>::first_channel()) / 8;
    // Parameters that are read anew for each tile come late.
    unsigned char *all_full = output.full + byte, *all_pooled = output.pooled + byte;
    hold_in_register(all_full), hold_in_register(all_pooled);
    return [=, &sources, &output](const Place& tile) {
      const int row = tile.row + Multiply::row(), column = tile.column + Multiply::column();
      const int at = (tile.image * sources.height + row) * sources.width + column;
      const int pooled_at =
          (tile.image * (sources.height / 2) + row / 2) * (sources.width / 2) + column / 2;
      unsigned char* full = all_full + static_cast<unsigned>(at * output.bytes);
      unsigned char* pooled = all_pooled + static_cast<unsigned>(pooled_at * output.bytes);
      hold_in_register(full), hold_in_register(pooled);
      return [=, &sources, &output](const Result<Multiply>& result) {
        constexpr int kBits = Result<Multiply>::kBits;
        unsigned bits[Result<Multiply>::kPixels];
        result.bits(bits);
#pragma unroll
        for (int i = 0; i < Result<Multiply>::kPixels; i += 2) {
          constexpr auto down = [](int i) { return Multiply::row_offset(i); };
          constexpr auto right = [](int i) { return Multiply::column_offset(i); };
          const bool inside = column + right(i) < sources.width;
          const int offset = (down(i) * sources.width + right(i)) * output.bytes;
          if (inside && row + down(i) < sources.height) store_bits<kBits>(full + offset, bits[i]);
          if (inside && row + down(i + 1) < sources.height)
            store_bits<kBits>(full + offset + sources.width * output.bytes, bits[i + 1]);
          if (output.pool) {
            // Vertical neighbours are here, the horizontal one with the thread four further.
            unsigned any = bits[i] | bits[i + 1];
            any |= __shfl_xor_sync(0xffffffff, any, 4);
            if (threadIdx.x / 4 % 2 == 0 && inside && row + down(i) < sources.height)
              store_bits<kBits>(
                  pooled + (down(i) / 2 * (sources.width / 2) + right(i) / 2) * output.bytes, any);
          }
        }
      };
    };
  });
}

}  // namespace mbu

// NAME(first, second, bytes per pixel of each, tensors (1 or 2), batch, height, width,
//      weights, offsets, weight stages of a slice, input stages, weight stages of the ring,
//      full, pooled, output bytes per pixel, pool)
#define MBU_CONV3X3(NAME, THREADS, ...)                                                            \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                         \
      NAME(const unsigned char* first, const unsigned char* second, int source_bytes, int tensors, \
           int batch, int height, int width, const unsigned char* weights, const int* offsets,     \
           int slice_stages, int input_stages, int weight_stages, unsigned char* full,             \
           unsigned char* pooled, int bytes, int pool) {                                           \
    mbu::conv3x3<__VA_ARGS__, THREADS>(                                                            \
        {first, second, source_bytes, tensors, batch, height, width},                              \
        {weights, offsets, slice_stages}, {input_stages, weight_stages},                           \
        {full, pooled, bytes, pool});                                                              \
  }

// THREADS: of the most groups for which there are registers, and of the loaders.
#define MBU_CONV3X3_OPERANDS(KIND, COLUMNS, THREADS, MULTIPLY, ...)                              \
  MBU_CONV3X3(conv3x3_##KIND##_ternary_##COLUMNS, THREADS,                                       \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kTernary, 9, 1>, COLUMNS __VA_ARGS__>)   \
  MBU_CONV3X3(conv3x3_##KIND##_ternary64_##COLUMNS, THREADS,                                     \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kTernary64, 9, 1>, COLUMNS __VA_ARGS__>) \
  MBU_CONV3X3(conv3x3_##KIND##_binary_##COLUMNS, THREADS,                                        \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kBinary, 9, 2>, COLUMNS __VA_ARGS__>)    \
  MBU_CONV3X3(conv3x3_##KIND##_binary128_##COLUMNS, THREADS,                                     \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kBinary128, 9, 1>, COLUMNS __VA_ARGS__>)

#define MBU_TWO_WARPS_ACROSS , 2
MBU_CONV3X3_OPERANDS(mma, 64, 512, MultiplyMma, MBU_TWO_WARPS_ACROSS)
#if MBU_HAS_WGMMA
MBU_CONV3X3_OPERANDS(wgmma, 64, 512, MultiplyWgmma)
MBU_CONV3X3_OPERANDS(wgmma, 128, 384, MultiplyWgmma)
#endif
