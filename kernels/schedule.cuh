// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// How a convolution on bits becomes a matrix product, known at compile time.
//
// A tile is 8 x 16 output pixels (the 128 rows of the product). Its input, with a border of one
// pixel for 3x3, lies in shared memory as slabs: 16 bytes (128 channels) of every pixel, row by
// row. A tap is then the same slab at a shifted address, and nothing is ever unrolled in memory.
//
// One step multiplies 256 bits of K: two halves of 128 bits, each some slab at some tap. Two planes
// need no second accumulator: with v the complement of the bits a,
//     popc(a & plus) - popc(a & minus) = popc(a & plus) + popc(v & minus) - popc(minus),
// so the minus plane is more K on v, and popc(minus) is a constant of the threshold. A border pixel
// has a = 0, so v = 1, and the identity holds there too.
#pragma once

namespace mbu {

constexpr int kTileRows = 8;
constexpr int kTileColumns = 16;
constexpr int kHalfBytes = 16;  // 128 bits of K

enum class Operand {
  kTernary,    // two planes; 128 channels a half: (a, v) at one tap
  kTernary64,  // two planes, 64 channels in all: a half holds (a, v), a step takes two taps
  kBinary,     // one plane; 256 channels a step: two halves at one tap
  kBinary128,  // one plane; 128 channels a half, a step takes two taps
};

// Where one half of a step comes from.
struct Half {
  int slab;
  int tap;
};

// kOperand_: see above. kTaps: 9 (3x3) or 1. kChunks: groups of 128 channels that one stage of the
// input ring holds.
template <Operand kOperand_, int kTaps_, int kChunks_>
struct Schedule {
  static constexpr Operand kOperand = kOperand_;
  static constexpr int kTaps = kTaps_;
  static constexpr int kChunks = kChunks_;
  static constexpr bool kTwoTaps =
      kOperand == Operand::kTernary64 || kOperand == Operand::kBinary128;
  static constexpr bool kCountsBits =
      kOperand == Operand::kBinary || kOperand == Operand::kBinary128;
  // The second half of a step is the complement of the first, made in registers.
  static constexpr bool kComplements = kOperand == Operand::kTernary;

  static constexpr int kBorder = kTaps == 9 ? 1 : 0;
  static constexpr int kPitch = kTileColumns + 2 * kBorder;           // pixels
  static constexpr int kPixels = (kTileRows + 2 * kBorder) * kPitch;  // of a slab
  static constexpr int kSlabBytes = kPixels * kHalfBytes;
  static constexpr int kCountBytes = kCountsBits ? kPixels * 4 : 0;  // set bits per pixel
  // A stage: slabs, counts, and where the tile lies (int4: image, row, column of its first pixel).
  static constexpr int kPlaceOffset = kChunks * kSlabBytes + kCountBytes;
  static constexpr int kStageBytes = (kPlaceOffset + 16 + 127) / 128 * 128;

  static_assert(!kTwoTaps || kChunks == 1, "two taps a step are for one chunk");
  static_assert(kOperand != Operand::kBinary || kChunks % 2 == 0, "two chunks a step");
  static constexpr int kSteps = kTwoTaps                        ? (kTaps + 1) / 2
                                : kOperand == Operand::kTernary ? kChunks * kTaps
                                                                : kChunks / 2 * kTaps;
  // Steps whose weights travel together.
  static constexpr int kWeightSteps = kTaps == 9 && !kTwoTaps ? 3 : kSteps;
  static constexpr int kWeightStages = kSteps / kWeightSteps;

  // Where half `which` of a step comes from; with complements, both from the same place.
  static constexpr __host__ __device__ Half half(int step, int which) {
    if (kTwoTaps) {
      // The last step of an odd number of taps has weights of zero in its second half.
      const int tap = 2 * step + which;
      return {0, tap < kTaps ? tap : kTaps - 1};
    }
    const int group = step / kTaps;
    return {kComplements ? group : 2 * group + which, step % kTaps};
  }

  // Byte offset of a half in a stage, for the tile's first pixel.
  static constexpr __host__ __device__ int offset(int step, int which) {
    const Half h = half(step, which);
    const int row = kTaps == 9 ? h.tap / 3 : 0, column = kTaps == 9 ? h.tap % 3 : 0;
    return h.slab * kSlabBytes + (row * kPitch + column) * kHalfBytes;
  }
};

}  // namespace mbu
