# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node at full rate for hours: what it takes of the machine over time, and a judgement."""
