// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// Shared memory, and what a block must have left behind. Include it after the kernel's source.
#pragma once

#include "ptx.cuh"
#include "wgmma.cuh"

namespace mbu {
thread_local __align__(128) unsigned char shared[kMostShared];
}

namespace emulation {

inline void forget_block() {
  initialized.clear();
  for (auto &own : own_copies) own.clear();
  for (auto &addresses : loaded) addresses.clear();
  forget_products();
}

inline void check_block_end() {
  for (const auto &own : own_copies)
    if (!own.empty()) fail("a thread ended without waiting for its copies");
  check_products();
}

}  // namespace emulation
