# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: cameras in, masks and diagnostics out."""
