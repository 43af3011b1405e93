// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The network's labels, or its confidence, to the camera's size: each output pixel takes the value
// under its centre. Rows and columns to take come in two small tables, which cost less than
// dividing 64-bit integers here.

#include <stddef.h>
#include <stdint.h>

#include "dependent_launch.cuh"

/// A thread takes four neighbouring pixels of a row.
///
/// source: not restrict, so that it is read as what another kernel may just have written;
/// [slots][source_height][source_width], of which `slot` is read.
/// columns, rows: column and row of the source for each of the target; [width] and [height].
/// target: [height][width], all written.
/// Four: a vector of four T.
template <typename T, typename Four>
__device__ void resize(const T* source, int slot, int source_width, int source_height,
                       const int* __restrict__ columns, const int* __restrict__ rows,
                       T* __restrict__ target, int width, int height) {
  const int x = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (x >= width) return;
  // Where rows of the target are no multiple of four, its vectors would not be aligned.
  const bool whole = width % 4 == 0;
  int column[4];
#pragma unroll
  for (int i = 0; i < 4; i++) column[i] = columns[min(x + i, width - 1)];
  mbu::let_next_kernel_start();
  mbu::wait_for_previous_kernel();
  source += (size_t)slot * source_height * source_width;
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < height; y += gridDim.y * blockDim.y) {
    const T* line = source + (size_t)rows[y] * source_width;
    T* out = target + (size_t)y * width + x;
    const T values[4] = {line[column[0]], line[column[1]], line[column[2]], line[column[3]]};
    if (whole) {
      *reinterpret_cast<Four*>(out) = Four{values[0], values[1], values[2], values[3]};
    } else {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (x + i < width) out[i] = values[i];
      }
    }
  }
}

#define KERNEL(name, T, Four)                                                                     \
  extern "C" __global__ void name(const T* source, int slot, int source_width, int source_height, \
                                  const int* __restrict__ columns, const int* __restrict__ rows,  \
                                  T* __restrict__ target, int width, int height) {                \
    resize<T, Four>(source, slot, source_width, source_height, columns, rows, target, width,      \
                    height);                                                                      \
  }

KERNEL(resize_labels, uint8_t, uchar4)
KERNEL(resize_scores, float, float4)
