# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real-time semantic segmentation for ROS 2 with masked binary U-Nets."""

__version__ = '0.1.0'
