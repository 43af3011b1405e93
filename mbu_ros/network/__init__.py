# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network as it is trained: a U-Net in PyTorch, float, binary or masked binary."""
