# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Holds the newest of something between the thread that makes it and the one that works on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

Item = TypeVar('Item')


@dataclass(frozen=True)
class Frame:
    """A received image.

    Attributes:
        message: sensor_msgs/Image or CompressedImage, as it came.
        received: time.perf_counter() when it came, in seconds.
        pixels: a compressed image decoded: uint8 [H, W, 3], BGR; None of a raw one.
        decoding: how long that took, in seconds.
    """

    message: Any
    received: float
    pixels: np.ndarray | None = None
    decoding: float = 0.0


class Newest(Generic[Item]):
    """Room for one. A newer one takes the place of one that nobody took yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._item: Item | None = None

    def put(self, item: Item) -> Item | None:
        """Leave one; returns the one it superseded, None if there was room."""
        with self._lock:
            superseded, self._item = self._item, item
        return superseded

    def take(self) -> Item | None:
        """Take the one that waits, None if there is none."""
        with self._lock:
            item, self._item = self._item, None
        return item


class NewestThread(Generic[Item]):
    """Works on the newest in a thread of its own; the thread starts with the first.

    Args:
        name: of the thread.
        work: called with each one that was not superseded before its turn. It must not raise:
            nobody would notice.
    """

    def __init__(self, name: str, work: Callable[[Item], None]) -> None:
        self._work = work
        self._newest: Newest[Item] = Newest()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def put(self, item: Item) -> Item | None:
        """Leave one; returns the one it superseded, None if there was room."""
        superseded = self._newest.put(item)
        if superseded is None:
            self._pool.submit(self._run)
        return superseded

    def take(self) -> Item | None:
        """Take the one that waits away from the thread, None if there is none."""
        return self._newest.take()

    def drain(self) -> None:
        """Wait until all that was put is worked on."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Wait for the one being worked on, drop the one that waits, and end the thread."""
        self._newest.take()
        self._pool.shutdown()

    def _run(self) -> None:
        item = self._newest.take()
        if item is not None:
            self._work(item)
