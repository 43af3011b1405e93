# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts, rates and latencies of one camera's frames; no ROS here, so that it is tested alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WINDOW_SECONDS = 10.0
"""Rates and latencies are of the frames of this last while."""
PERCENTILES = (50, 95, 99)
STAGES = ('wait', 'resize', 'network', 'mask', 'publish', 'total')
"""What happens to a frame, in order: it waits for the engine's thread; is converted to RGB and
resized to the network's size; run; its labels are resized to its own size; published. `total` is
the time from received to published."""


@dataclass(frozen=True)
class FrameSummary:
    """What `FrameStatistics` knew at one moment.

    Attributes:
        received, segmented, superseded, bad: frames since the start. The first is the sum of the
            others, but for a frame that waits or is being segmented.
        lost: frames that the middleware says never arrived; not among those received.
        input_rate, output_rate: frames per second received and published, over the window.
        percentiles: milliseconds at `PERCENTILES`, by stage; empty without frames in the window.
        age: seconds since the last frame came; None before the first.
        waiting: seconds since the oldest frame of the window came, if none of the window was
            published; 0 otherwise.
    """

    received: int = 0
    segmented: int = 0
    superseded: int = 0
    bad: int = 0
    lost: int = 0
    input_rate: float = 0.0
    output_rate: float = 0.0
    percentiles: dict[str, tuple[float, ...]] | None = None
    age: float | None = None
    waiting: float = 0.0


class FrameStatistics:
    """Counts what becomes of each frame; may be used from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts = {'received': 0, 'segmented': 0, 'superseded': 0, 'bad': 0, 'lost': 0}
        self._inputs: deque[float] = deque()
        self._outputs: deque[tuple[float, dict[str, float]]] = deque()
        self._last_input: float | None = None

    def count_received(self) -> None:
        """A frame came."""
        with self._lock:
            self._counts['received'] += 1
            self._last_input = self._clock()
            self._inputs.append(self._last_input)
            self._forget(self._last_input)

    def count_superseded(self) -> None:
        """A frame was dropped for a newer one, or because the node was told to stop."""
        with self._lock:
            self._counts['superseded'] += 1

    def count_bad(self) -> None:
        """A frame was dropped because it could not be used, or because the engine failed at it."""
        with self._lock:
            self._counts['bad'] += 1

    def count_lost(self, frames: int) -> None:
        """Frames were lost on the way."""
        with self._lock:
            self._counts['lost'] += frames

    def count_segmented(self, milliseconds: dict[str, float]) -> None:
        """A frame's mask was published; its time in each of `STAGES`."""
        with self._lock:
            self._counts['segmented'] += 1
            now = self._clock()
            self._outputs.append((now, milliseconds))
            self._forget(now)

    def summary(self) -> FrameSummary:
        """What is known now."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            inputs = list(self._inputs)
            outputs = list(self._outputs)
            counts = dict(self._counts)
            age = None if self._last_input is None else now - self._last_input
        return FrameSummary(
            **counts,
            input_rate=_rate(inputs, now),
            output_rate=_rate([when for when, _ in outputs], now),
            percentiles=_percentiles([stages for _, stages in outputs]),
            age=age,
            waiting=now - inputs[0] if inputs and not outputs else 0.0,
        )

    def _forget(self, now: float) -> None:
        while self._inputs and self._inputs[0] < now - WINDOW_SECONDS:
            self._inputs.popleft()
        while self._outputs and self._outputs[0][0] < now - WINDOW_SECONDS:
            self._outputs.popleft()


def assess(now: FrameSummary, before: FrameSummary, topic: str) -> tuple[bool, str]:
    """Judge a camera: whether all is well, and one sentence for a person.

    Args:
        now, before: summaries of this report and of the one before.
        topic: what the camera publishes on.
    """
    if now.lost > before.lost:
        return False, f'{now.lost - before.lost} frames of {topic} lost on the way to this node'
    if now.age is None:
        return False, f'no frames received yet on {topic}'
    if now.bad > before.bad:
        return False, f'{now.bad - before.bad} bad frames dropped since the last report'
    if now.age > WINDOW_SECONDS:
        return False, f'no frame for {now.age:.0f} s on {topic}'
    if now.waiting > 1.0:
        return False, f'frames come on {topic}, but none was segmented in {now.waiting:.0f} s'
    return True, f'{now.output_rate:.1f} of {now.input_rate:.1f} frames a second'


def _rate(times: list[float], now: float) -> float:
    """Events per second since the oldest; it falls while nothing new comes."""
    if len(times) < 2 or now <= times[0]:
        return 0.0
    return (len(times) - 1) / (now - times[0])


def _percentiles(frames: list[dict[str, float]]) -> dict[str, tuple[float, ...]]:
    if not frames:
        return {}
    return {
        stage: tuple(
            float(value)
            for value in np.percentile([frame[stage] for frame in frames], PERCENTILES)
        )
        for stage in STAGES
    }
