# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the exit code of a process says, in words."""

from __future__ import annotations


def describe_exit(code: int) -> str:
    """How a process ended, such as 'was ended by signal 9'.

    Args:
        code: as `subprocess` has it: negative where a signal ended the process.
    """
    return f'was ended by signal {-code}' if code < 0 else f'ended with exit code {code}'
