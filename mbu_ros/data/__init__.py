# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where labelled frames come from: data trees, image folders and generated street scenes."""
