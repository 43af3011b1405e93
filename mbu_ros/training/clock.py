# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time spent on training steps, of a device that works behind the host."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch

STEPS_AHEAD = 2
"""Steps that the host may be ahead of the device: with more, their clocks would differ."""


class Clock:
    """Seconds of steps, without pauses.

    Args:
        device: that takes the steps.
        elapsed: seconds to start from.
    """

    def __init__(self, device: torch.device, elapsed: float = 0.0) -> None:
        self._device = device
        self._start = self.now() - elapsed
        self._events: deque[torch.cuda.Event] = deque()

    @staticmethod
    def now() -> float:
        """Seconds of the wall clock, from any origin."""
        return time.monotonic()

    def step(self) -> float:
        """A step was given to the device; waits for the one some steps ago. Returns the seconds."""
        if self._device.type == 'cuda':
            event = torch.cuda.Event()
            event.record()
            self._events.append(event)
            if len(self._events) > STEPS_AHEAD:
                self._events.popleft().synchronize()
        return self.now() - self._start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done in here does not count."""
        if self._device.type == 'cuda':
            torch.cuda.synchronize(self._device)  # the steps still under way do
        before = self.now()
        try:
            yield
        finally:
            self._start += self.now() - before
