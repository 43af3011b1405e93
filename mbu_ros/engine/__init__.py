# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What runs a deployed model on frames: one protocol, one module per kind of processor."""
