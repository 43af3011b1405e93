# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors in words, for the log and the diagnostics."""

from __future__ import annotations

from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.errors import InputError


def describe_failure(error: Exception) -> str:
    """An error in words; those made for people need no name of their type."""
    if isinstance(error, (InputError, EngineError, EngineUnavailable)):
        return str(error)
    return f'{type(error).__name__}: {error}'
