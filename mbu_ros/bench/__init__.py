# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: the CUDA engine beside FP16 U-Nets, in time, energy and memory."""
