# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's log: what may be repeated with every frame, and what comes by Python's logging."""

from __future__ import annotations

import logging
from typing import Any

from rclpy.clock import Clock, ClockType

SELDOM: dict[str, Any] = {
    'throttle_duration_sec': 5.0,
    'throttle_time_source_type': Clock(clock_type=ClockType.STEADY_TIME),
}
"""Keyword arguments for a line of log that may come with every frame: once in so many seconds.

By a steady clock: with rclpy's own choice, the system's, a clock that jumps back silences the log
for as long as it jumped.
"""


class RosHandler(logging.Handler):
    """Hands records to a logger of rclpy."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record with the severity that it has."""
        text = self.format(record)
        # A line each: rclpy allows one severity a line of code.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


def forward_logging(logger: Any) -> None:
    """Send what the package logs from now on, from INFO up, to a logger of rclpy."""
    package = logging.getLogger('mbu_ros')
    package.setLevel(logging.INFO)
    package.handlers = [RosHandler(logger)]
