# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network as it is deployed: bit planes, integer thresholds and the file that holds them."""
