// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// CUDA C++ on the CPU for kernels whose threads talk to each other: include this, then the kernel's
// source, then say EXPORT(kernel) for each kernel. The instructions that CUDA C++ has no name for
// are in ptx.cuh, wgmma.cuh and dependent_launch.cuh, in place of the kernels' own headers.
#pragma once

#include <cmath>
#include <type_traits>
#include <utility>

#include "fibers.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// There is one block at a time, and one thread of the CPU. Unlike static, it goes with extern too.
#define __shared__ thread_local

#define threadIdx (::emulation::self->thread)
#define blockIdx (::emulation::block_index)
#define blockDim (::emulation::block)
#define gridDim (::emulation::grid)

struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

template <class T>
T __ldg(const T *address) {
  return *address;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int max(int a, int b) { return a > b ? a : b; }

inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return (static_cast<uint64_t>(high) << 32 | low) << (shift & 31) >> 32;
}

inline void __syncthreads() { emulation::synchronize_block(); }
inline void __syncwarp() {
  emulation::together("__syncwarp", 0, [](const int *const *) {});
}

template <class T>
T shuffle(const char *what, unsigned mask, T value, int from) {
  struct Argument {
    T value;
    int from;
    T *result;
  };
  if (mask != 0xffffffff) emulation::fail("%s: mask %x is not the whole warp", what, mask);
  T result;
  emulation::together(what, Argument{value, from, &result}, [](const Argument *const *lanes) {
    for (int lane = 0; lane < emulation::kLanes; ++lane)
      *lanes[lane]->result = lanes[lanes[lane]->from]->value;
  });
  return result;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from) {
  return shuffle("__shfl_sync", mask, value, from % emulation::kLanes);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with) {
  return shuffle("__shfl_xor_sync", mask, value, emulation::self->lane ^ with);
}

namespace mbu {
constexpr unsigned kMostShared = 227 * 1024;
extern thread_local __align__(128) unsigned char shared[];
}  // namespace mbu

namespace emulation {

constexpr unsigned char kPoison = 0xA5;

inline unsigned shared_bytes;

// ---- What is in memory when a kernel starts. ----

// A buffer that the kernel before may still write to, until wait_for_previous_kernel.
struct Hidden {
  unsigned char *at;
  std::vector<unsigned char> content;
};
inline std::vector<Hidden> buffers;
inline bool hidden;

inline void hide_buffers() {
  hidden = true;
  for (Hidden &buffer : buffers) {
    std::memcpy(buffer.content.data(), buffer.at, buffer.content.size());
    std::memset(buffer.at, kPoison, buffer.content.size());
  }
}

inline void show_buffers() {
  if (!hidden) return;
  hidden = false;
  for (Hidden &buffer : buffers) {
    for (size_t i = 0; i < buffer.content.size(); ++i)
      if (buffer.at[i] != kPoison) fail("a buffer was written before wait_for_previous_kernel");
    std::memcpy(buffer.at, buffer.content.data(), buffer.content.size());
  }
}

void check_block_end();
void forget_block();

template <class... Types, std::size_t... I>
void call(void (*function)(Types...), void **arguments, std::index_sequence<I...>) {
  function(*static_cast<std::remove_const_t<Types> *>(arguments[I])...);
}

// sizes: grid x, y, z, threads, dynamic shared bytes, seed, buffers; then of each buffer, in
// `addresses`, its bytes. Returns what went wrong, or nullptr.
template <class... Types>
const char *launch(void (*function)(Types...), const unsigned *sizes, void **arguments, int count,
                   void **addresses) {
  message.clear();
  if (_setjmp(failed)) {
    if (hidden)
      for (Hidden &buffer : buffers)
        std::memcpy(buffer.at, buffer.content.data(), buffer.content.size());
    return message.c_str();
  }
  if (count != sizeof...(Types)) fail("the kernel does not take %d arguments", count);
  grid = {sizes[0], sizes[1], sizes[2]};
  block = {sizes[3], 1, 1};
  shared_bytes = sizes[4];
  random_state = sizes[5] * 0x9E3779B97F4A7C15u + 1;
  buffers.clear();
  for (unsigned i = 0; i < sizes[6]; ++i)
    buffers.push_back({static_cast<unsigned char *>(addresses[i]),
                       std::vector<unsigned char>(sizes[7 + i])});
  if (shared_bytes > mbu::kMostShared) fail("%u bytes of shared memory", shared_bytes);
  kernel = [=] { call(function, arguments, std::index_sequence_for<Types...>()); };
  for (block_index.z = 0; block_index.z < grid.z; ++block_index.z)
    for (block_index.y = 0; block_index.y < grid.y; ++block_index.y)
      for (block_index.x = 0; block_index.x < grid.x; ++block_index.x) {
        std::memset(mbu::shared, kPoison, mbu::kMostShared);
        forget_block();
        hide_buffers();
        run_block();
        if (hidden) fail("wait_for_previous_kernel was not called");
        check_block_end();
        for (unsigned i = shared_bytes; i < mbu::kMostShared; ++i)
          if (mbu::shared[i] != kPoison)
            fail("byte %u of %u of shared memory was written", i, shared_bytes);
      }
  return nullptr;
}

}  // namespace emulation

#define EXPORT(kernel)                                                                           \
  extern "C" const char *launch_##kernel(const unsigned *sizes, void **arguments, int count,    \
                                         void **addresses) {                                     \
    return emulation::launch(kernel, sizes, arguments, count, addresses);                        \
  }
