// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// Brings tiles of bits from global memory into the stages of the input ring, as slabs.
#pragma once

#include <type_traits>

#include "ptx.cuh"
#include "schedule.cuh"

namespace mbu {

// What a convolution reads: one or two tensors of bits, [batch][height][width][bytes]. The second
// one's channels follow the first's (skip connection). Channels are padded to 64 or to a multiple
// of 128, so `bytes` is 8 or a multiple of 16; two tensors of 8 make one chunk of 128 channels.
// A tensor has less than 2^31 bytes.
struct Sources {
  const unsigned char* first;
  const unsigned char* second;
  int bytes;    // per pixel of each
  int tensors;  // 1 or 2
  int batch, height, width;

  __device__ __forceinline__ int chunks() const { return (bytes * tensors + 8) / kHalfBytes; }
};

// Goes through every `step`-th tile of a batch of images without dividing.
class TileWalk {
 public:
  __device__ __forceinline__ TileWalk(const Sources& sources, int first, int step)
      : batch_(sources.batch),
        across_((sources.width + kTileColumns - 1) / kTileColumns),
        down_((sources.height + kTileRows - 1) / kTileRows),
        outside_(sources.height + kTileRows),
        x_(first % across_),
        y_(first / across_ % down_),
        image_(first / across_ / down_),
        step_x_(step % across_),
        step_y_(step / across_ % down_),
        step_image_(step / across_ / down_) {}

  __device__ __forceinline__ void advance() {
    x_ += step_x_, y_ += step_y_, image_ += step_image_;
    if (x_ >= across_) x_ -= across_, ++y_;
    if (y_ >= down_) y_ -= down_, ++image_;
  }

  __device__ __forceinline__ int image() const { return image_; }
  // First pixel of the tile; beyond the last tile a row that is in no image.
  __device__ __forceinline__ int row() const { return image_ < batch_ ? y_ * kTileRows : outside_; }
  __device__ __forceinline__ int column() const { return x_ * kTileColumns; }

 private:
  const int batch_, across_, down_, outside_;
  int x_, y_, image_;
  const int step_x_, step_y_, step_image_;
};

// One warp's share of the loading: pixels `first`, `first + step`, ... of each slab.
template <class Schedule>
class TileLoader {
 public:
  static constexpr int kMost = (Schedule::kPixels + 31) / 32;
  static constexpr bool kHalfChunk = Schedule::kOperand == Operand::kTernary64;
  struct Pixels {
    std::conditional_t<kHalfChunk, uint2, uint4> bits[kMost][Schedule::kChunks];
    int4 place;  // image, row and column of the tile
  };

  __device__ __forceinline__ TileLoader(const Sources& sources, int first, int step)
      : sources_(sources), first_(first), step_(step) {
#pragma unroll
    for (int i = 0; i < kMost; ++i) {
      offset_[i] = (row_of(i) * sources.width + column_of(i)) * sources.bytes;
    }
  }

  __device__ __forceinline__ void move_to(const TileWalk& tile) {
    const int row = tile.row(), column = tile.column();
    place_of_tile_ = make_int4(tile.image(), row, column, 0);
    base_ = ((tile.image() * sources_.height + row) * sources_.width + column) * sources_.bytes;
    inside_ = 0;
    const bool whole = row >= Schedule::kBorder && column >= Schedule::kBorder &&
                       row + kTileRows + Schedule::kBorder <= sources_.height &&
                       column + kTileColumns + Schedule::kBorder <= sources_.width;
#pragma unroll
    for (int i = 0; i < kMost; ++i) {
      bool in = first_ + i * step_ < Schedule::kPixels;
      if (!whole) {
        const unsigned r = row + row_of(i), c = column + column_of(i);
        in = in && r < static_cast<unsigned>(sources_.height) &&
             c < static_cast<unsigned>(sources_.width);
      }
      if (in) inside_ |= 1 << i;
    }
  }

  // Starts reading chunks `chunk` ... of the tile; bits outside of the image are 0.
  __device__ __forceinline__ void fetch(Pixels& pixels, int chunk) const {
    pixels.place = place_of_tile_;
    const int chunks_of_first = sources_.bytes / kHalfBytes;
#pragma unroll
    for (int c = 0; c < Schedule::kChunks; ++c) {
      const bool in_first = chunk + c < chunks_of_first || sources_.bytes == 8;
      const unsigned char* from = (in_first ? sources_.first : sources_.second) + base_ +
                                  (in_first ? chunk + c : chunk + c - chunks_of_first) * kHalfBytes;
      // One loop for each way, so that nothing waits for a read before the next one starts.
      if constexpr (kHalfChunk) {
#pragma unroll
        for (int i = 0; i < kMost; ++i) {
          pixels.bits[i][c] = make_uint2(0, 0);
          if (inside_ >> i & 1) pixels.bits[i][c] = read<uint2>(from + offset_[i]);
        }
      } else if (sources_.bytes == 8) {
        const unsigned char* second = sources_.second + base_;
#pragma unroll
        for (int i = 0; i < kMost; ++i) {
          uint2 low = make_uint2(0, 0), high = low;
          if (inside_ >> i & 1) low = read<uint2>(from + offset_[i]);
          if (inside_ >> i & 1) high = read<uint2>(second + offset_[i]);
          pixels.bits[i][c] = make_uint4(low.x, low.y, high.x, high.y);
        }
      } else {
#pragma unroll
        for (int i = 0; i < kMost; ++i) {
          pixels.bits[i][c] = make_uint4(0, 0, 0, 0);
          if (inside_ >> i & 1) pixels.bits[i][c] = read<uint4>(from + offset_[i]);
        }
      }
    }
  }

  // Writes what was fetched to a stage. `begin`: these are the tile's first chunks.
  __device__ __forceinline__ void deposit(const Pixels& pixels, unsigned char* stage, bool begin) {
    if (first_ == 0) *reinterpret_cast<int4*>(stage + Schedule::kPlaceOffset) = pixels.place;
    uint4* to = reinterpret_cast<uint4*>(stage) + first_;
    int* counts = reinterpret_cast<int*>(stage + Schedule::kChunks * Schedule::kSlabBytes) + first_;
#pragma unroll
    for (int i = 0; i < kMost; ++i) {
      if (first_ + i * step_ >= Schedule::kPixels) continue;
      int count = begin ? 0 : counts_[Schedule::kCountsBits ? i : 0];
#pragma unroll
      for (int c = 0; c < Schedule::kChunks; ++c) {
        uint4 bits;
        if constexpr (kHalfChunk) {
          const uint2 half = pixels.bits[i][c];
          bits = make_uint4(half.x, half.y, ~half.x, ~half.y);
        } else {
          bits = pixels.bits[i][c];
        }
        to[i * step_ + c * Schedule::kPixels] = bits;
        if constexpr (Schedule::kCountsBits)
          count += __popc(bits.x) + __popc(bits.y) + __popc(bits.z) + __popc(bits.w);
      }
      if constexpr (Schedule::kCountsBits) counts[i * step_] = counts_[i] = count;
    }
  }

 private:
  // An ordinary load, not __ldg, which could move before wait_for_previous_kernel.
  template <class T>
  static __device__ __forceinline__ T read(const unsigned char* from) {
    return *reinterpret_cast<const T*>(from);
  }

  // Of pixel i, from the tile's first output pixel.
  __device__ __forceinline__ int row_of(int i) const {
    return (first_ + i * step_) / Schedule::kPitch - Schedule::kBorder;
  }
  __device__ __forceinline__ int column_of(int i) const {
    return (first_ + i * step_) % Schedule::kPitch - Schedule::kBorder;
  }

  const Sources& sources_;
  const int first_, step_;
  int offset_[kMost];  // bytes from the tile's first pixel
  int4 place_of_tile_;
  int base_;    // bytes from the start of the tensor to the tile's first pixel
  int inside_;  // bit i: pixel i lies in the image
  int counts_[Schedule::kCountsBits ? kMost : 1];
};

}  // namespace mbu
