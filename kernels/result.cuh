// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// A thread's part of a finished tile, and how its sums become bits.
#pragma once

#include "schedule.cuh"

namespace mbu {

// A thread holds kPixels pixels and, of each, kBits neighbouring output channels: the columns of
// the product are ordered so that column 8 j + 2 t + e of a warp, which lies with thread t of four,
// is channel (columns / 4) t + 2 j + e. So bits are packed without talking to other threads.
//
// Two planes: the sums start at minus the threshold, and the bit is their sign.
// One plane (w = 2 plus - 1): bit = 2 popc(a & plus) - popc(a) - threshold >= 0; the sums start at
// 0, and popc(a) of the window is summed up here from the pixels' counts.
template <class Multiply>
struct Result {
  using Schedule = typename Multiply::Schedule;
  static constexpr int kPixels = 2 * Multiply::kRowTiles;
  static constexpr int kBits = 2 * Multiply::kColumnTiles;

  const Multiply& product;
  const int* offsets;  // minus the threshold of columns 8 j + e
  const int* counts;   // set bits of each pixel of the slab, where the schedule counts them

  // The first of this thread's channels in the slice.
  static __device__ __forceinline__ int first_channel() {
    return Multiply::warp_column() + threadIdx.x % 4 * kBits;
  }

  __device__ __forceinline__ int window_count(int i) const {
    int count = 0;
    if constexpr (Schedule::kCountsBits) {
      const int* corner = counts + (Multiply::row() + Multiply::row_offset(i)) * Schedule::kPitch +
                          Multiply::column() + Multiply::column_offset(i);
#pragma unroll
      for (int y = 0; y <= 2 * Schedule::kBorder; ++y)
#pragma unroll
        for (int x = 0; x <= 2 * Schedule::kBorder; ++x) count += corner[y * Schedule::kPitch + x];
    }
    return count;
  }

  // What decides bit 2 j + e of pixel i: it is set where this is not negative.
  __device__ __forceinline__ int margin(int i, int j, int e, int count) const {
    const int sum = product.sums[i / 2][j][i % 2 * 2 + e];
    return Schedule::kCountsBits ? 2 * sum + offsets[8 * j + e] - count : sum;
  }

  // The kBits bits of every pixel. The pixels take turns, since each shift waits for the one
  // before.
  __device__ __forceinline__ void bits(unsigned (&bits)[kPixels]) const {
    int count[kPixels];
#pragma unroll
    for (int i = 0; i < kPixels; ++i) count[i] = window_count(i), bits[i] = 0;
#pragma unroll
    for (int bit = kBits - 1; bit >= 0; --bit)
#pragma unroll
      for (int i = 0; i < kPixels; ++i)
        bits[i] = __funnelshift_l(margin(i, bit / 2, bit % 2, count[i]), bits[i], 1);
#pragma unroll
    for (int i = 0; i < kPixels; ++i) bits[i] = ~bits[i];
  }
};

// Where a tile lies: image, row and column of its first pixel. Beyond the last tile, the row is in
// no image.
struct Place {
  int image, row, column;
};

// Writes the lowest kBits bits (8, 16 or 32) of `bits`.
template <int kBits>
__device__ __forceinline__ void store_bits(unsigned char* to, unsigned bits) {
  static_assert(kBits == 8 || kBits == 16 || kBits == 32, "whole bytes");
  if constexpr (kBits == 8) *to = bits;
  if constexpr (kBits == 16) *reinterpret_cast<unsigned short*>(to) = bits;
  if constexpr (kBits == 32) *reinterpret_cast<unsigned*>(to) = bits;
}

}  // namespace mbu
