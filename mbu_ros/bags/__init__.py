# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rosbag2 files: reading frames, labels and raw messages, and writing bags."""
