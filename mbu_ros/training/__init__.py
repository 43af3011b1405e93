# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a network is trained: data on the device, augmentation, stages and distillation."""
