# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes the time of a bag on /clock, also while nothing is played yet."""

from __future__ import annotations

import time
from typing import Any

from mbu_ros.bags.format import SECOND


class BagClock:
    """Simulated time: stands still, or runs at a speed up to the next message.

    Until the bag is played it shows the bag's first moment, so that those who wait for time have
    it before the first image.

    Args:
        node: the player; its callbacks must be run.
        start: in nanoseconds.
        rate: how often to publish, in Hz.
    """

    def __init__(self, node: Any, start: int, rate: float) -> None:
        from rclpy.clock import Clock, ClockType
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from rosgraph_msgs.msg import Clock as ClockMessage

        self._message = ClockMessage()
        # As those who listen subscribe, by rcl's own choice.
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._publisher = node.create_publisher(ClockMessage, '/clock', qos)
        self._last = start
        self._goal, self._due, self._speed = start, 0.0, 0.0
        node.create_timer(
            1 / rate, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def jump(self, nanoseconds: int) -> None:
        """Stand still at another time, earlier or later."""
        self._last = self._goal = nanoseconds
        self._speed = 0.0

    def run(self, goal: int, due: float, speed: float) -> None:
        """Run from now on so that it is `goal` (ns) at `due` (time.monotonic()), and stop there."""
        self._goal, self._due, self._speed = goal, due, speed

    def reach(self, nanoseconds: int) -> None:
        """Be there now, and say so: before a message that was logged then."""
        self._goal, self._speed = max(nanoseconds, self._last), 0.0
        self._publish(self._goal)

    def _tick(self) -> None:
        left = max(0.0, self._due - time.monotonic()) * self._speed
        # Never backwards, whatever the next message's time is.
        self._publish(max(self._last, self._goal - int(left * SECOND)))

    def _publish(self, nanoseconds: int) -> None:
        self._last = nanoseconds
        self._message.clock.sec, self._message.clock.nanosec = divmod(nanoseconds, SECOND)
        self._publisher.publish(self._message)
