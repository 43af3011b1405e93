// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The product of one tile on wgmma m64nNk256 b1, Hopper's own instruction (sm_90a): 1.5 times the
// rate of mma.sync. Weights come from shared memory through a descriptor without swizzle (units of
// 8 columns x 16 bytes, 128 consecutive bytes). Pixels come through registers: from shared memory,
// wgmma would read every window at twice the cost, since it is not aligned to 128 bytes, and would
// need the complement to lie there too. The 64 rows of a product are 8 x 8 pixels.
#pragma once

#include "ptx.cuh"
#include "schedule.cuh"
#include "wgmma.cuh"

namespace mbu {

// Four warps (a warpgroup) share the tile's 128 pixels x kColumns as two products of 8 x 8 pixels.
template <class Schedule_, int kColumns_>
struct MultiplyWgmma {
  using Schedule = Schedule_;
  static constexpr int kColumns = kColumns_;
  static constexpr int kWarpColumns = kColumns;
  static constexpr int kRowTiles = 2;
  static constexpr int kColumnTiles = kColumns / 8;
  static constexpr bool kAsync = true;  // the last step is still under way when `multiply` returns

  int sums[kRowTiles][kColumnTiles][4];  // as in MultiplyMma

  static __device__ __forceinline__ int warp() { return threadIdx.x / 32 % 4; }
  static __device__ __forceinline__ int lane() { return threadIdx.x % 32; }
  static __device__ __forceinline__ int warp_column() { return 0; }
  static __device__ __forceinline__ int row() { return 2 * warp(); }
  static __device__ __forceinline__ int column() { return lane() / 4; }
  static constexpr __device__ int row_offset(int i) { return i % 2; }
  static constexpr __device__ int column_offset(int i) { return i / 2 * 8; }

  // Keeps the compiler from moving uses of the sums across this point.
  __device__ __forceinline__ void pin() {
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
      for (int j = 0; j < kColumnTiles; ++j)
#pragma unroll
        for (int r = 0; r < 4; ++r) pin_register(sums[i][j][r]);
  }

  __device__ __forceinline__ void start() { pin(); }
  __device__ __forceinline__ void finish() { pin(); }

  // Of weights at a shared address (below 2^18) plus an offset known at compile time.
  static __device__ __forceinline__ uint64_t descriptor(uint32_t start, int offset) {
    constexpr int kBetweenHalves = kColumns * kHalfBytes, kBetweenUnits = 8 * kHalfBytes;
    const uint32_t low = (start >> 4) + (offset >> 4 | kBetweenHalves >> 4 << 16);
    return static_cast<uint64_t>(kBetweenUnits >> 4) << 32 | low;
  }

  // The operand of one step for both products. `pixel`: the matrix row that this lane names.
  template <int kStep>
  static __device__ __forceinline__ void load(uint32_t (&a)[kRowTiles][4], uint32_t pixel) {
    if constexpr (Schedule::kComplements) {
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
        const uint32_t at = pixel + Schedule::offset(kStep, 0) + i * 8 * kHalfBytes;
        load_two_matrices(a[i][0], a[i][1], at);
        a[i][2] = ~a[i][0], a[i][3] = ~a[i][1];
      }
    } else {
      // Lanes from 16 on name the second half.
      const int low = Schedule::offset(kStep, 0), high = Schedule::offset(kStep, 1);
      const uint32_t at = pixel + low + lane() / 16 * (high - low);
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) load_matrices(a[i], at + i * 8 * kHalfBytes);
    }
  }

  template <int kFirst, int kStep>
  __device__ __forceinline__ void step(uint32_t (&a)[kRowTiles][4], uint32_t pixel,
                                       uint32_t weights) {
#if MBU_HAS_WGMMA
    wgmma_fence();
    const uint64_t b = descriptor(weights, kStep * 2 * kColumns * kHalfBytes);
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) Wgmma<kColumns>::multiply(sums[i], a[i], b);
    wgmma_commit();
    if constexpr (kStep + 1 < Schedule::kWeightSteps) {
      // While this step is multiplied, the operand of the next one is loaded.
      uint32_t next[kRowTiles][4];
      load<kFirst + kStep + 1>(next, pixel);
      wait<1>();
      step<kFirst, kStep + 1>(next, pixel, weights);
    } else {
      wait<1>();
    }
#endif
  }

  // On return, all steps but the last are done.
  template <int kFirst>
  __device__ __forceinline__ void multiply(uint32_t input, uint32_t weights) {
    // Lane l names row l % 8 (a pixel) of matrix l / 8, which is a tile row: 2 w or 2 w + 1.
    const uint32_t pixel =
        input + ((2 * warp() + lane() / 8 % 2) * Schedule::kPitch + lane() % 8) * kHalfBytes;
    uint32_t a[kRowTiles][4];
    load<kFirst>(a, pixel);
    step<kFirst, 0>(a, pixel, weights);
  }

  // Waits until all but the last kLeft steps are done.
  template <int kLeft>
  __device__ __forceinline__ void wait() {
    wgmma_wait<kLeft>();
  }
};

}  // namespace mbu
