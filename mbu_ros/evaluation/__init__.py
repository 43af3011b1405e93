# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good and how fast a model is: metrics, and the evaluation of frames from a file."""
