# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of the frames that a camera sends: which come back as masks, and after how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mbu_ros.evaluation.latency import percentiles

PATIENCE_SECONDS = 5.0
"""A frame whose mask is not there by then is held to be lost."""


class Account:
    """Frames by their stamps; may be used from several threads.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: dict[int, float] = {}
        self._begin = clock()
        self._sent = self._lost = 0
        self._latencies: list[float] = []

    @property
    def waiting(self) -> int:
        """Frames whose masks are not there yet."""
        with self._changed:
            self._give_up()
            return len(self._waiting)

    def send(self, stamp: int) -> None:
        """A frame with this stamp is about to be published."""
        with self._changed:
            self._sent += 1
            self._waiting[stamp] = self._clock()

    def answer(self, stamp: int) -> None:
        """A mask with this stamp came. Of no consequence for one that nobody waits for."""
        with self._changed:
            begin = self._waiting.pop(stamp, None)
            if begin is not None:
                self._latencies.append((self._clock() - begin) * 1e3)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until every frame has its mask or is held to be lost."""
        while self.waiting:
            with self._changed:
                self._changed.wait(0.1)

    def tell(self) -> dict:
        """What happened since this was last called.

        Returns:
            'seconds' since then; 'sent', 'answered', 'lost': frames; 'latency_ms', percentiles from
            before a frame was published until its mask was there.
        """
        with self._changed:
            self._give_up()
            now = self._clock()
            told = {
                'seconds': now - self._begin,
                'sent': self._sent,
                'answered': len(self._latencies),
                'lost': self._lost,
                'latency_ms': percentiles(self._latencies),
            }
            self._begin = now
            self._sent = self._lost = 0
            self._latencies = []
        return told

    def _give_up(self) -> None:
        latest = self._clock() - PATIENCE_SECONDS
        for stamp in [stamp for stamp, begin in self._waiting.items() if begin < latest]:
            del self._waiting[stamp]
            self._lost += 1
