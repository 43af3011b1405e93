// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// 2x2 up-convolution with stride 2 on bits, and threshold: out[2 y + dy, 2 x + dx] comes from
// in[y, x] alone, so it is one product with four times the output channels. Its columns are
// ordered tap by tap (dy, dx), then channel.
//
// Reads bits [batch][height][width][bytes], writes bits [batch][2 height][2 width][output bytes].
#include "bit_conv.cuh"
#include "multiply_mma.cuh"
#include "multiply_wgmma.cuh"

namespace mbu {

template <class Multiply, int kThreads>
__device__ __forceinline__ void up_conv(const Sources& sources, const Weights& weights,
                                        const Rings& rings, unsigned char* output, int bytes) {
  convolve<Multiply, kThreads>(sources, weights, rings, [&] {
    // A thread's channels are at most 32 and `bytes` at least 8, so they belong to one tap.
    const int channel = blockIdx.y * Multiply::kColumns + Result<Multiply>::first_channel();
    const int tap = channel / (8 * bytes);
    // A parameter that is read anew for each tile comes late.
    unsigned char* all_output = output + channel / 8 - tap * bytes;
    hold_in_register(all_output);
    return [=, &sources](const Place& tile) {
      const int row = tile.row + Multiply::row(), column = tile.column + Multiply::column();
      const int at = (tile.image * 2 * sources.height + 2 * row + tap / 2) * 2 * sources.width +
                     2 * column + tap % 2;
      unsigned char* to = all_output + static_cast<unsigned>(at * bytes);
      hold_in_register(to);
      return [=, &sources](const Result<Multiply>& result) {
        unsigned bits[Result<Multiply>::kPixels];
        result.bits(bits);
#pragma unroll
        for (int i = 0; i < Result<Multiply>::kPixels; ++i)
          if (row + Multiply::row_offset(i) < sources.height &&
              column + Multiply::column_offset(i) < sources.width)
            store_bits<Result<Multiply>::kBits>(to + (Multiply::row_offset(i) * 4 * sources.width +
                                                      2 * Multiply::column_offset(i)) *
                                                         bytes,
                                                bits[i]);
      };
    };
  });
}

}  // namespace mbu

// NAME(input, input bytes per pixel, batch, height, width of the input,
//      weights, offsets, weight stages of a slice, input stages, weight stages of the ring,
//      output, output bytes per pixel)
#define MBU_UP_CONV(NAME, THREADS, ...)                                                          \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                       \
      NAME(const unsigned char* input, int input_bytes, int batch, int height, int width,        \
           const unsigned char* weights, const int* offsets, int slice_stages, int input_stages, \
           int weight_stages, unsigned char* output, int bytes) {                                \
    mbu::up_conv<__VA_ARGS__, THREADS>({input, input, input_bytes, 1, batch, height, width},     \
                                       {weights, offsets, slice_stages},                         \
                                       {input_stages, weight_stages}, output, bytes);            \
  }

// ternary2 and binary take two chunks of 128 channels a stage, the others one.
#define MBU_UP_CONV_OPERANDS(KIND, COLUMNS, THREADS, MULTIPLY, ...)                              \
  MBU_UP_CONV(up_conv_##KIND##_ternary_##COLUMNS, THREADS,                                       \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kTernary, 1, 1>, COLUMNS __VA_ARGS__>)   \
  MBU_UP_CONV(up_conv_##KIND##_ternary2_##COLUMNS, THREADS,                                      \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kTernary, 1, 2>, COLUMNS __VA_ARGS__>)   \
  MBU_UP_CONV(up_conv_##KIND##_ternary64_##COLUMNS, THREADS,                                     \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kTernary64, 1, 1>, COLUMNS __VA_ARGS__>) \
  MBU_UP_CONV(up_conv_##KIND##_binary_##COLUMNS, THREADS,                                        \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kBinary, 1, 2>, COLUMNS __VA_ARGS__>)    \
  MBU_UP_CONV(up_conv_##KIND##_binary128_##COLUMNS, THREADS,                                     \
              mbu::MULTIPLY<mbu::Schedule<mbu::Operand::kBinary128, 1, 1>, COLUMNS __VA_ARGS__>)

#define MBU_TWO_WARPS_ACROSS , 2
MBU_UP_CONV_OPERANDS(mma, 64, 512, MultiplyMma, MBU_TWO_WARPS_ACROSS)
#if MBU_HAS_WGMMA
MBU_UP_CONV_OPERANDS(wgmma, 64, 512, MultiplyWgmma)
MBU_UP_CONV_OPERANDS(wgmma, 128, 384, MultiplyWgmma)
#endif
