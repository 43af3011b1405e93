// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// First 3x3 convolution: RGB bytes to bits, on int8 Tensor Cores.
//
// Reads [batch][height][width] pixels of 4 int8 (R, G, B less 128, and one that meets weights of
// 0), writes bits [batch][height][width][bytes]. Outside of the image lies `border`, the mean.
//
// K is laid out for the loads: each kernel row is 16 bytes, 3 pixels and a fourth of no weight. So
// what a thread gives to an mma is one pixel, one word of shared memory. The 16 rows of a product
// are 16 pixels side by side, so that no word is needed in two places of an operand.
#include "dependent_launch.cuh"
#include "ptx.cuh"
#include "result.cuh"

namespace mbu {

constexpr int kFirstRows = 16, kFirstColumns = 32;  // pixels of a tile
constexpr int kFirstPitch = kFirstColumns + 4;      // with a border of 1, and the fourth pixel
constexpr int kFirstWords = (kFirstRows + 2) * kFirstPitch;
constexpr int kFirstThreads = 256;  // each warp: two rows
constexpr int kFirstLoads = (kFirstWords + kFirstThreads - 1) / kFirstThreads;
constexpr int kFirstTiles = 8;  // 8-column tiles of the product: 64 channels

}  // namespace mbu

// weights: [slice of 64 channels][column tile][kernel row][lane], fragments of the product.
// offsets: [slice][column], minus the thresholds, in the order that Result explains.
// Blocks: any number, each goes through several tiles; slices; images.
extern "C" __global__ void __launch_bounds__(mbu::kFirstThreads, 2)
    first_conv(const int* image, int batch, int height, int width, int border,
               const unsigned* weights, const int* offsets, unsigned char* output, int bytes) {
  using namespace mbu;
  __shared__ int pixels[2][kFirstWords];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = lane / 4, t = lane % 4;

  unsigned b[kFirstTiles][3];
  int start[kFirstTiles][4];
#pragma unroll
  for (int j = 0; j < kFirstTiles; ++j) {
    const int tile = blockIdx.y * kFirstTiles + j;
#pragma unroll
    for (int row = 0; row < 3; ++row) b[j][row] = __ldg(weights + (tile * 3 + row) * 32 + lane);
    const int2 offset = __ldg(reinterpret_cast<const int2*>(offsets + tile * 8 + 2 * t));
    start[j][0] = start[j][2] = offset.x, start[j][1] = start[j][3] = offset.y;
    // Four registers in a row, as the product wants them, though two would hold all.
#pragma unroll
    for (int r = 0; r < 4; ++r) hold_in_register(start[j][r]);
  }

  const int across = (width + kFirstColumns - 1) / kFirstColumns;
  const int tiles = across * ((height + kFirstRows - 1) / kFirstRows);
  image += static_cast<size_t>(blockIdx.z) * height * width;
  output += static_cast<size_t>(blockIdx.z) * height * width * bytes + blockIdx.y * 8 + 2 * t;

  int words[kFirstLoads];
  const auto fetch = [&](int tile) {
    const int first_row = tile / across * kFirstRows - 1;
    const int first_column = tile % across * kFirstColumns - 1;
#pragma unroll
    for (int i = 0; i < kFirstLoads; ++i) {
      const int place = threadIdx.x + i * kFirstThreads;
      const unsigned row = first_row + place / kFirstPitch;
      const unsigned column = first_column + place % kFirstPitch;
      words[i] = row < static_cast<unsigned>(height) && column < static_cast<unsigned>(width) &&
                         place < kFirstWords
                     ? image[row * width + column]
                     : border;
    }
  };

  let_next_kernel_start();
  wait_for_previous_kernel();
  fetch(blockIdx.x);
  for (int tile = blockIdx.x, stage = 0; tile < tiles; tile += gridDim.x, stage ^= 1) {
    // With two stages, one barrier a tile suffices: whoever writes a stage again has passed the
    // barrier after everybody read it.
#pragma unroll
    for (int i = 0; i < kFirstLoads; ++i)
      if (threadIdx.x + i * kFirstThreads < kFirstWords)
        pixels[stage][threadIdx.x + i * kFirstThreads] = words[i];
    __syncthreads();
    if (tile + gridDim.x < tiles) fetch(tile + gridDim.x);

    const int row = tile / across * kFirstRows + 2 * warp;
    const int column = tile % across * kFirstColumns + group;
    const int* from = pixels[stage] + 2 * warp * kFirstPitch + group + t;
    // Rolled up, for the registers.
#pragma unroll 1
    for (int r = 0; r < 2; ++r) {
      unsigned char* to = output + static_cast<unsigned>(((row + r) * width + column) * bytes);
#pragma unroll
      for (int x = 0; x < kFirstColumns; x += 16) {
        int a[3][2];  // of each kernel row, pixels `group` and `group` + 8
#pragma unroll
        for (int k = 0; k < 3; ++k) {
          a[k][0] = from[(r + k) * kFirstPitch + x];
          a[k][1] = from[(r + k) * kFirstPitch + x + 8];
        }
        int sums[kFirstTiles][4];
#pragma unroll
        for (int j = 0; j < kFirstTiles; ++j)
          multiply_bytes(sums[j], start[j], a[0][0], a[0][1], a[1][0], a[1][1], b[j][0], b[j][1]);
#pragma unroll
        for (int j = 0; j < kFirstTiles; ++j)
          multiply_half_bytes(sums[j], a[2][0], a[2][1], b[j][2]);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          unsigned signs = 0;
#pragma unroll
          for (int j = kFirstTiles - 1; j >= 0; --j) {
            signs = __funnelshift_l(sums[j][2 * half + 1], signs, 1);
            signs = __funnelshift_l(sums[j][2 * half], signs, 1);
          }
          if (row + r < height && column + x + 8 * half < width)
            store_bits<16>(to + (x + 8 * half) * bytes, ~signs);
        }
      }
    }
  }
}
