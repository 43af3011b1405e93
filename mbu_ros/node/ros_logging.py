# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the package says through Python's logging, in the node's log."""

from __future__ import annotations

import logging
from typing import Any


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
