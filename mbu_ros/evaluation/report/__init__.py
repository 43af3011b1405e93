# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation leaves behind: a report for programs, and pages and pictures for people."""
