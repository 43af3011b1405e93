# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The subcommands of `mbu`: one module each, with `add_arguments(parser)` and `run(args)`."""
