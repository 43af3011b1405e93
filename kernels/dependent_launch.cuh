// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// Programmatic dependent launch (sm_90 on): a kernel may start while the one before it ends. Every
// kernel calls both. Without an edge of that kind in the CUDA graph, neither does anything.
//
// Every kernel has threads that wait, so when the one before is complete, all earlier ones are too.
// In a kernel in which only some threads wait, the others write only after those have read.
#pragma once

namespace mbu {

// Waits until the kernels before this one are complete and what they wrote can be read. Whatever
// reads or writes buffers comes after it; parameters may be read before.
__device__ __forceinline__ void wait_for_previous_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Lets the next kernel's blocks start as soon as there is room for them.
__device__ __forceinline__ void let_next_kernel_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace mbu
