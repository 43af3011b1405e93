# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How player and evaluator declare their parameters: read once, at the start, and never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor

from mbu_ros.bags.playback import MAX_RATE, MIN_RATE

POSITIVE = FloatingPointRange(from_value=MIN_RATE, to_value=MAX_RATE)
"""Range of every number with a fraction whose default is one of them: rates in Hz, times in s."""


def declare(node: Any, parameters: Mapping[str, tuple[object, str]]) -> SimpleNamespace:
    """Declare parameters, given by name as default and description; returns their values.

    Raises:
        rclpy.exceptions.ParameterException: a value is of another type, or out of range.
    """
    values = {}
    for name, (default, text) in parameters.items():
        descriptor = ParameterDescriptor(
            description=text,
            read_only=True,
            floating_point_range=[POSITIVE] if isinstance(default, float) and default > 0 else [],
        )
        values[name] = node.declare_parameter(name, default, descriptor).value
    return SimpleNamespace(**values)


def given(names: Iterable[str]) -> list[str]:
    """A list of names; ROS has no empty list of texts, so [''] stands for one."""
    return [name for name in names if name]
