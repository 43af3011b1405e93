// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The instructions that CUDA C++ has no name for, one thin function each.
// "Shared address" is a 32-bit address in the shared window.
#pragma once

#include <cstdint>

#include "features.cuh"

namespace mbu {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// ---- Registers of the threads of a warpgroup, from those that the block started with (sm_90a). --

template <int kRegisters>
__device__ __forceinline__ void take_registers() {
#if MBU_HAS_WGMMA
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}

template <int kRegisters>
__device__ __forceinline__ void give_registers() {
#if MBU_HAS_WGMMA
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}

// From here on the value is in a register, and the compiler forgets how it came about.
__device__ __forceinline__ void hold_in_register(int& value) { asm volatile("" : "+r"(value)); }
__device__ __forceinline__ void hold_in_register(unsigned char*& pointer) {
  asm volatile("" : "+l"(pointer));
}

// Four of the eight bytes b, a (0 to 3: a), of which each digit of kSelector names one, the lowest
// digit the lowest byte; with 8 added, its sign in all bits.
template <uint32_t kSelector>
__device__ __forceinline__ uint32_t permute_bytes(uint32_t a, uint32_t b) {
  uint32_t bytes;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(bytes) : "r"(a), "r"(b), "n"(kSelector));
  return bytes;
}

// Four bytes from four numbers, the first in the lowest, each clipped to [-128, 127].
__device__ __forceinline__ uint32_t saturated_bytes(int a, int b, int c, int d) {
  uint32_t high, bytes;
  asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;" : "=r"(high) : "r"(d), "r"(c), "r"(0));
  asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %3;" : "=r"(bytes) : "r"(b), "r"(a), "r"(high));
  return bytes;
}

// ---- Barriers in shared memory: one side arrives, the other waits for a phase to complete. ----

__device__ __forceinline__ void barrier_init(uint32_t barrier, int arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

__device__ __forceinline__ void barrier_arrive(uint32_t barrier) {
  asm volatile(
      "{\n\t.reg .b64 state;\n\t"
      "mbarrier.arrive.shared.b64 state, [%0];\n\t}" ::"r"(barrier)
      : "memory");
}

// The whole warp arrives, once all its lanes are here; a barrier counts kArrivalsOfWarp for it.
// compute-sanitizer's racecheck does not follow what __syncwarp hands to the one lane that arrives;
// compiled with -DMBU_EVERY_LANE_ARRIVES, which is slower, each lane arrives for itself.
#ifdef MBU_EVERY_LANE_ARRIVES
constexpr int kArrivalsOfWarp = 32;
#else
constexpr int kArrivalsOfWarp = 1;
#endif
__device__ __forceinline__ void barrier_arrive_warp(uint32_t barrier) {
  __syncwarp();
  if (kArrivalsOfWarp == 32 || threadIdx.x % 32 == 0) barrier_arrive(barrier);
}

// try_wait sleeps a while in hardware, test_wait returns at once.
#if MBU_HAS_BULK_COPY
#define MBU_WAIT "try_wait"
#else
#define MBU_WAIT "test_wait"
#endif

// Waits until the phase of this parity has completed (a barrier starts in phase 0).
__device__ __forceinline__ void barrier_wait(uint32_t barrier, uint32_t parity) {
  asm volatile(
      "{\n\t.reg .pred done;\n"
      "again:\n\t"
      "mbarrier." MBU_WAIT
      ".parity.shared.b64 done, [%0], %1;\n\t"
      "@!done bra again;\n\t}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// Makes fresh barriers visible to the bulk copy engine.
__device__ __forceinline__ void fence_barrier_init() {
#if MBU_HAS_BULK_COPY
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

// ---- Copies from global to shared memory, completing on a barrier. ----

#if MBU_HAS_BULK_COPY
// One thread copies `bytes` (a multiple of 16) and arrives; the barrier's phase completes with it.
__device__ __forceinline__ void bulk_copy(uint32_t to, const void* from, uint32_t bytes,
                                          uint32_t barrier) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1], %2, [%3];" ::"r"(to),
      "l"(from), "r"(bytes), "r"(barrier)
      : "memory");
}
#endif

__device__ __forceinline__ void copy_async_16(uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}

// Arrives on the barrier when all of this thread's earlier copy_async_16 have landed.
__device__ __forceinline__ void arrive_when_copied(uint32_t barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(barrier) : "memory");
}

// ---- Tensor Cores, mma.sync (sm_80 on). ----

// Four 8x16-byte matrices; lane l gives the address of row l % 8 of matrix l / 8, and receives
// word l % 4 of row l / 4 of each.
__device__ __forceinline__ void load_matrices(uint32_t (&words)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(address)
               : "memory");
}

// The first two of them, of which lanes 0 to 15 give the rows.
__device__ __forceinline__ void load_two_matrices(uint32_t& first, uint32_t& second,
                                                  uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(first), "=r"(second)
               : "r"(address)
               : "memory");
}

// sums[16 x 8] += popcount(a[16 x 256 bits] & b[256 bits x 8]).
__device__ __forceinline__ void multiply_bits(int (&sums)[4], const uint32_t (&a)[4], uint32_t b0,
                                              uint32_t b1) {
  asm("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// sums[16 x 8] = start + a[16 x 32 int8] * b[32 int8 x 8].
__device__ __forceinline__ void multiply_bytes(int (&sums)[4], const int (&start)[4], uint32_t a0,
                                               uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                               uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
      : "=r"(sums[0]), "=r"(sums[1]), "=r"(sums[2]), "=r"(sums[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1), "r"(start[0]), "r"(start[1]),
        "r"(start[2]), "r"(start[3]));
}

// sums[16 x 8] += a[16 x 16 int8] * b[16 int8 x 8].
__device__ __forceinline__ void multiply_half_bytes(int (&sums)[4], uint32_t a0, uint32_t a1,
                                                    uint32_t b0) {
  asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 "
      "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
      : "r"(a0), "r"(a1), "r"(b0));
}

}  // namespace mbu
