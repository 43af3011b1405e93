// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The instructions of wgmma m64nNk256 b1 (sm_90a), one thin function each: asynchronous products of
// a warpgroup, four warps with 16 rows each.
#pragma once

#include "ptx.cuh"

namespace mbu {

// sums[64 x kColumns] += popcount(a[64 x 256 bits] & b[256 bits x kColumns]); b: a descriptor. The
// sums may be used, and b be overwritten, when the product's group has been waited for.
template <int kColumns>
struct Wgmma;

#define MBU_R8(n)                                                                               \
  "+r"(sums[n][0]), "+r"(sums[n][1]), "+r"(sums[n][2]), "+r"(sums[n][3]), "+r"(sums[n + 1][0]), \
      "+r"(sums[n + 1][1]), "+r"(sums[n + 1][2]), "+r"(sums[n + 1][3])

#if MBU_HAS_WGMMA
template <>
struct Wgmma<64> {
  static __device__ __forceinline__ void multiply(int (&sums)[8][4], const uint32_t (&a)[4],
                                                  uint64_t b) {
    asm volatile(
        "{\n\t.reg .pred add;\n\tsetp.eq.b32 add, 0, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n64k256.s32.b1.b1.and.popc "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, add;\n\t}"
        : MBU_R8(0), MBU_R8(2), MBU_R8(4), MBU_R8(6)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

template <>
struct Wgmma<128> {
  static __device__ __forceinline__ void multiply(int (&sums)[16][4], const uint32_t (&a)[4],
                                                  uint64_t b) {
    asm volatile(
        "{\n\t.reg .pred add;\n\tsetp.eq.b32 add, 0, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n128k256.s32.b1.b1.and.popc "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
        "{%64, %65, %66, %67}, %68, add;\n\t}"
        : MBU_R8(0), MBU_R8(2), MBU_R8(4), MBU_R8(6), MBU_R8(8), MBU_R8(10), MBU_R8(12), MBU_R8(14)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};
#endif
#undef MBU_R8

// Registers written before may be read by products after.
__device__ __forceinline__ void wgmma_fence() {
#if MBU_HAS_WGMMA
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// The products since the last commit become a group.
__device__ __forceinline__ void wgmma_commit() {
#if MBU_HAS_WGMMA
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until at most the last kLeft groups are under way.
template <int kLeft>
__device__ __forceinline__ void wgmma_wait() {
#if MBU_HAS_WGMMA
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
#endif
}

// Keeps the compiler from moving uses of this register across this point.
__device__ __forceinline__ void pin_register(int& value) {
  asm volatile("" : "+r"(value)::"memory");
}

}  // namespace mbu
