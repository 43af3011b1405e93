# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the libraries say about damaged files, in words for people."""

from __future__ import annotations


def reason(error: Exception) -> str:
    """An exception in one line; its type where it says nothing, as many about damaged bytes do."""
    return ' '.join(str(error).split()) or type(error).__name__
