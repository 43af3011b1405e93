// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The product of one tile on mma.sync m16n8k256, which every GPU from sm_80 to sm_90 has.
//
// Four warps share the tile's 128 pixels x kColumns. The 16 rows of one mma are 2 x 8 pixels, so
// that a thread holds vertical neighbours (for pooling) and ldmatrix reads 8 pixels side by side:
// 128 consecutive bytes, no bank conflict.
#pragma once

#include "ptx.cuh"
#include "schedule.cuh"

namespace mbu {

// kColumns: output channels of the tile. kWarpsAcross: warps that share the columns (1 or 2).
template <class Schedule_, int kColumns_, int kWarpsAcross>
struct MultiplyMma {
  using Schedule = Schedule_;
  static constexpr int kColumns = kColumns_;
  static constexpr int kWarpColumns = kColumns / kWarpsAcross;
  static constexpr int kRowTiles = 2 * kWarpsAcross;  // 16-pixel tiles of this warp
  static constexpr int kColumnTiles = kWarpColumns / 8;
  static constexpr bool kAsync = false;  // a stage may be released when `multiply` returns

  int sums[kRowTiles][kColumnTiles][4];  // [..][2 r + e]: pixel row r of the tile, column 2 t + e

  static __device__ __forceinline__ int warp() { return threadIdx.x / 32 % 4; }
  static __device__ __forceinline__ int lane() { return threadIdx.x % 32; }
  // First tile row and column of this warp.
  static __device__ __forceinline__ int first_row() {
    return kWarpsAcross == 2 ? 0 : 4 * (warp() % 2);
  }
  static __device__ __forceinline__ int first_column() { return 8 * (warp() / 2); }
  static __device__ __forceinline__ int warp_column() {
    return kWarpsAcross == 2 ? warp() % 2 * kWarpColumns : 0;
  }

  // This thread's pixels in the tile: the first, and pixel i of 2 * kRowTiles from there. Pixels i
  // and i ^ 1 are vertical neighbours.
  static __device__ __forceinline__ int row() { return first_row(); }
  static __device__ __forceinline__ int column() { return first_column() + lane() / 4; }
  static constexpr __device__ int row_offset(int i) { return i; }
  static constexpr __device__ int column_offset(int) { return 0; }

  __device__ __forceinline__ void start() {}
  __device__ __forceinline__ void finish() {}

  // Steps kFirst .. kFirst + kWeightSteps of a stage of input and its stage of weights.
  template <int kFirst>
  __device__ __forceinline__ void multiply(uint32_t input, uint32_t weights) {
    const int l = lane();
    // Lane l names row l % 8 (a pixel or a column) of matrix l / 8.
    const uint32_t pixel =
        input +
        ((first_row() + l / 8 % 2) * Schedule::kPitch + first_column() + l % 8) * kHalfBytes;
    const uint32_t column =
        weights + (l / 8 % 2 * kColumns + warp_column() + l / 16 * 8 + l % 8) * kHalfBytes;
    const int second = l / 16;
#pragma unroll
    for (int step = 0; step < Schedule::kWeightSteps; ++step) {
      constexpr bool kComplements = Schedule::kComplements;
      uint32_t a[kRowTiles][4];
      const int low = Schedule::offset(kFirst + step, 0);
      const int high = Schedule::offset(kFirst + step, 1);
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
        const int down = 2 * i * Schedule::kPitch * kHalfBytes;
        if constexpr (kComplements) {
          load_two_matrices(a[i][0], a[i][1], pixel + low + down);
          a[i][2] = ~a[i][0], a[i][3] = ~a[i][1];
        } else {
          load_matrices(a[i], pixel + low + second * (high - low) + down);
        }
      }
#pragma unroll
      for (int j = 0; j < kColumnTiles; j += 2) {
        uint32_t b[4];
        load_matrices(b, column + (step * 2 * kColumns + j * 8) * kHalfBytes);
#pragma unroll
        for (int i = 0; i < kRowTiles; ++i) {
          multiply_bits(sums[i][j], a[i], b[0], b[1]);
          multiply_bits(sums[i][j + 1], a[i], b[2], b[3]);
        }
      }
    }
  }

  template <int kLeft>
  __device__ __forceinline__ void wait() {}
};

}  // namespace mbu
