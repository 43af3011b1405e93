# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation over ROS: the processes that play a bag through the node and judge its masks."""
