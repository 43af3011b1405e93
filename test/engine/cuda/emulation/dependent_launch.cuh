// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of kernels/dependent_launch.cuh: buffers hold nothing useful before the wait.
#pragma once

namespace mbu {

inline void wait_for_previous_kernel() { emulation::show_buffers(); }

inline void let_next_kernel_start() {}

}  // namespace mbu
