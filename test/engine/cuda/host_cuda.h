// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// Just enough of CUDA to compile a kernel whose threads do not talk to each other as plain C++,
// and to run its threads one after the other. Include it, then the kernel's source, then say
// EXPORT(kernel) for each kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline

struct uint3 {
  unsigned x, y, z;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
template <class T>
static inline T __ldg(const T *address) {
  return *address;
}
static inline int min(int a, int b) { return a < b ? a : b; }

static uint3 gridDim, blockDim, blockIdx, threadIdx;

template <class... Types, std::size_t... Index>
void run(void (*kernel)(Types...), void **arguments, std::index_sequence<Index...>) {
  for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
      for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
          kernel(*static_cast<std::remove_const_t<Types> *>(arguments[Index])...);
}

/// As cuLaunchKernel takes them: x and y of the grid and the block; pointers to the arguments.
template <class... Types>
int launch(void (*kernel)(Types...), const unsigned *sizes, void **arguments, int count) {
  if (count != sizeof...(Types)) return 1;
  gridDim = {sizes[0], sizes[1], 1};
  blockDim = {sizes[2], sizes[3], 1};
  run(kernel, arguments, std::index_sequence_for<Types...>());
  return 0;
}

#define EXPORT(kernel)                                                                 \
  extern "C" int launch_##kernel(const unsigned *sizes, void **arguments, int count) { \
    return launch(kernel, sizes, arguments, count);                                    \
  }
