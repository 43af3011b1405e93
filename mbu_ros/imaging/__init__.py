# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures in and out: ROS image messages, resizing, overlays and contact sheets."""
