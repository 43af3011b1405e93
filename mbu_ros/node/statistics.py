# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts, rates and latencies of one camera's frames; no ROS here, so that it is tested alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

WINDOW_SECONDS = 10.0
"""Rates and latencies are of the frames of this last while."""
PERCENTILES = (50, 95, 99)
STAGES = ('wait', 'decode', 'resize', 'network', 'mask', 'publish', 'total')
"""What happens to a frame, in order: it waits for the engine's thread; is decoded, if compressed;
is converted to RGB and resized to the network's size; run; its labels are resized to its own size;
published. `total` is the time from received to published."""
DROP_REASONS = ('superseded', 'rate', 'bad', 'engine', 'stopped', 'unwatched')
"""Why a received frame is not segmented: a newer one came; it would exceed `max_rate`; it cannot be
used; the engine failed at it; the node was told to stop; nobody subscribes to any result."""


FAULTS = ('superseded', 'bad', 'engine')
"""Those of them that cost frames which somebody wanted."""


@dataclass(frozen=True)
class FrameSummary:
    """What `FrameStatistics` knew at one moment.

    Attributes:
        received, segmented: frames since the start. The first is the sum of the second and of all
            dropped, but for a frame that waits or is being segmented.
        dropped: frames since the start, by reason.
        lost: frames that the middleware says never arrived; not among those received.
        recent: frames received in the window.
        input_rate, output_rate: frames per second received and published, over the window.
        drop_share: frames dropped for one of `FAULTS` among those received, over the window.
        percentiles: milliseconds at `PERCENTILES`, by stage; only stages that some frame of the
            window went through.
        age: seconds since the last frame came; None before the first.
        waiting: seconds since the first frame that was dropped for one of `FAULTS` after the last
            that was published; 0 without one.
    """

    received: int = 0
    segmented: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DROP_REASONS, 0))
    lost: int = 0
    recent: int = 0
    input_rate: float = 0.0
    output_rate: float = 0.0
    drop_share: float = 0.0
    percentiles: dict[str, tuple[float, ...]] = field(default_factory=dict)
    age: float | None = None
    waiting: float = 0.0


class FrameStatistics:
    """Counts what becomes of each frame; may be used from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._received = self._segmented = self._lost = 0
        self._dropped = dict.fromkeys(DROP_REASONS, 0)
        self._inputs: deque[float] = deque()
        self._faults: deque[float] = deque()
        self._outputs: deque[tuple[float, dict[str, float]]] = deque()
        self._last_input: float | None = None
        self._failing_since: float | None = None

    def count_received(self) -> None:
        """A frame came."""
        with self._lock:
            self._received += 1
            self._last_input = self._clock()
            self._inputs.append(self._last_input)
            self._forget(self._last_input)

    def count_dropped(self, reason: str, frames: int = 1) -> None:
        """Frames were dropped, for one of `DROP_REASONS`."""
        with self._lock:
            self._dropped[reason] += frames
            now = self._clock()
            if reason in FAULTS:
                self._faults.extend([now] * frames)
                self._failing_since = self._failing_since or now
            elif reason != 'rate':  # nobody waits for a result
                self._failing_since = None
            self._forget(now)

    def count_lost(self, frames: int) -> None:
        """Frames were lost on the way."""
        with self._lock:
            self._lost += frames

    def count_segmented(self, milliseconds: dict[str, float]) -> None:
        """A frame's results were published; its time in those of `STAGES` that it went through."""
        with self._lock:
            self._segmented += 1
            now = self._clock()
            self._outputs.append((now, milliseconds))
            self._failing_since = None
            self._forget(now)

    def summary(self) -> FrameSummary:
        """What is known now."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            inputs = list(self._inputs)
            outputs = list(self._outputs)
            since = self._failing_since
            known = FrameSummary(
                self._received,
                self._segmented,
                dict(self._dropped),
                self._lost,
                len(inputs),
                drop_share=min(1.0, len(self._faults) / max(1, len(inputs))),
                age=None if self._last_input is None else now - self._last_input,
                waiting=0.0 if since is None else now - since,
            )
        return replace(
            known,
            input_rate=_rate(inputs, now),
            output_rate=_rate([when for when, _ in outputs], now),
            percentiles=_percentiles([stages for _, stages in outputs]),
        )

    def _forget(self, now: float) -> None:
        start = now - WINDOW_SECONDS
        for times in (self._inputs, self._faults):
            while times and times[0] < start:
                times.popleft()
        while self._outputs and self._outputs[0][0] < start:
            self._outputs.popleft()


def _rate(times: list[float], now: float) -> float:
    """Events per second since the oldest; it falls while nothing new comes."""
    if len(times) < 2 or now <= times[0]:
        return 0.0
    return (len(times) - 1) / (now - times[0])


def _percentiles(frames: list[dict[str, float]]) -> dict[str, tuple[float, ...]]:
    found = {}
    for stage in STAGES:
        times = [frame[stage] for frame in frames if stage in frame]
        if times:
            found[stage] = tuple(np.percentile(times, PERCENTILES).tolist())
    return found
