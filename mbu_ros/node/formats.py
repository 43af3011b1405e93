# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What batches of frames looked like, and blank ones that look alike, to prepare an engine with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mbu_ros.engine.base import Frame, RawFrame

Batch = tuple[tuple[tuple, ...], bool]
"""What each frame looked like, and whether scores were wanted."""
KEPT = 8
"""Batches that are remembered, the newest; a CUDA engine keeps as many prepared."""


class Formats:
    """Remembers what batches an engine was given. For one thread; `list` is for any."""

    def __init__(self) -> None:
        self._known: dict[Batch, None] = {}

    def add(self, frames: Sequence[Frame], confidence: bool) -> None:
        """Remember these."""
        batch = tuple(_look(frame) for frame in frames), confidence
        self._known.pop(batch, None)
        self._known[batch] = None
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]

    def list(self) -> tuple[Batch, ...]:
        """Those that are remembered, the newest last."""
        return tuple(self._known)


def blank(batch: Batch) -> tuple[list[Frame], bool]:
    """Black frames that look like those, and whether scores are wanted."""
    looks, confidence = batch
    return [_blank(*look) for look in looks], confidence


def _look(frame: Frame) -> tuple:
    if isinstance(frame, RawFrame):
        return frame.height, frame.width, frame.step, frame.encoding, frame.is_bigendian
    return frame.shape


def _blank(height: int, width: int, *more: int | str) -> Frame:
    if len(more) == 1:
        return np.zeros((height, width, 3), np.uint8)
    return RawFrame(bytes(height * more[0]), height, width, *more)
