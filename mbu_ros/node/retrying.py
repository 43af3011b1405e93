# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts a node that starts itself again in a while, where its parameters say so."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer


class Retry:
    """At most one attempt that is yet to come. For the executor's thread.

    Args:
        node: with the parameters `autostart` and `retry_seconds`.
        start: an attempt.
    """

    def __init__(self, node: Node, start: Callable[[], object]) -> None:
        self._node = node
        self._start = start
        self._timer: Timer | None = None

    @property
    def text(self) -> str:
        """For people, behind the reason of a failure; '' if no attempt is to come."""
        if self._timer is None:
            return ''
        return f'; trying again in {self._timer.time_until_next_call() / 1e9:.0f} s'

    def schedule(self) -> bool:
        """Whether an attempt is to come, now that the last one failed."""
        seconds = self._node.get_parameter('retry_seconds').value
        if self._timer is None and seconds and self._node.get_parameter('autostart').value:
            self._node.get_logger().warning(
                f'Trying again in {seconds:g} s (parameter retry_seconds)'
            )
            # Steady time: a simulation that stands still must not keep the node from starting.
            self._timer = self._node.create_timer(
                seconds, self._attempt, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )
        return self._timer is not None

    def cancel(self) -> None:
        """Give up the attempt that is to come, if any."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None

    def _attempt(self) -> None:
        self.cancel()
        self._start()
