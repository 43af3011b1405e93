// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// Which instructions of newer architectures there are, as 0 or 1.
#pragma once

// Instructions of Hopper (bulk copies, mbarrier.try_wait) need sm_90, wgmma needs sm_90a.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define MBU_HAS_BULK_COPY 1
#else
#define MBU_HAS_BULK_COPY 0
#endif
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define MBU_HAS_WGMMA 1
#else
#define MBU_HAS_WGMMA 0
#endif
