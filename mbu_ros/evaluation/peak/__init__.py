# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The highest rate at which a node keeps up with cameras, and its latency at some rates."""
