# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Holds the newest frame of a camera between the thread that receives and the one that segments."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Frame:
    """A received image.

    Attributes:
        message: sensor_msgs/Image, as it came.
        received: time.perf_counter() when it came, in seconds.
    """

    message: Any
    received: float


class Newest:
    """Room for one frame. A newer one takes the place of one that nobody took yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: Frame | None = None

    def put(self, frame: Frame) -> Frame | None:
        """Leave a frame; returns the one it superseded, None if there was room."""
        with self._lock:
            superseded, self._frame = self._frame, frame
        return superseded

    def take(self) -> Frame | None:
        """Take the frame that waits, None if there is none."""
        with self._lock:
            frame, self._frame = self._frame, None
        return frame
