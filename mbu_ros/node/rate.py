# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets so many frames a second pass."""

from __future__ import annotations


class RateLimit:
    """Passes frames at a mean rate, also one that does not divide the camera's."""

    def __init__(self) -> None:
        self._due: float | None = None

    def admits(self, now: float, rate: float) -> bool:
        """Whether a frame that comes now may pass.

        Args:
            now: monotonic, in seconds.
            rate: in Hz; 0 lets all pass. It may change from call to call.
        """
        if self._due is None or rate <= 0:
            self._due = now
        if rate <= 0:
            return True
        period = 1 / rate
        self._due = min(self._due, now + period)  # the rate may have been lower
        if now < self._due:
            return False
        # Counted from when it was due, not from when it came: else every second frame of a camera
        # that is a little faster than the rate would be dropped. A frame that is late takes nothing
        # from the next one; a longer pause is not made up for.
        self._due = max(self._due + period, now)
        return True
