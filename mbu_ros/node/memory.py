# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Has the process keep the memory of messages that it is done with, for the next ones."""

from __future__ import annotations

import ctypes

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 512 * 1024 * 1024
"""Free memory at the end of the heap that is not given back to the system."""
LARGEST_BYTES = 32 * 1024 * 1024
"""Larger allocations are given back at once all the same; glibc allows no more than this."""


def keep_freed_memory() -> bool:
    """Keep freed memory; whether the system's malloc can be told to.

    rclpy allocates an image several times on its way in, and malloc gives each of them back to the
    system when it is freed. The system clears the pages of the next one before it hands them out,
    one page fault after the other: for large images that takes longer than all the copying.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    return bool(
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_M_MMAP_THRESHOLD, LARGEST_BYTES)
    )
