# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The protocol that every engine follows, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mbu_ros.errors import InputError
from mbu_ros.model.deployed import Model

STAGES = ('resize', 'network', 'mask')
"""Stages that an engine times, in order: frame to network size, network, labels to frame size."""


@dataclass(frozen=True)
class Segmentation:
    """What an engine found in one frame.

    Attributes:
        labels: uint8 [H, W], class index per pixel, at the frame's own size.
        confidence: float32 [H, W] in [0, 1], softmax of the winning class; None unless asked for.
        milliseconds: time of each of `STAGES`. Frames that ran as one batch carry equal shares.
    """

    labels: np.ndarray
    confidence: np.ndarray | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)


class Engine(Protocol):
    """Runs one deployed model. An engine belongs to the thread that made it."""

    name: str
    """Short name: 'reference' or 'cuda'."""
    device: str
    """What it runs on, in words, for logs and reports."""
    model: Model

    def segment(
        self, frames: Sequence[np.ndarray], *, confidence: bool = False
    ) -> list[Segmentation]:
        """Segment frames of any sizes, uint8 [H, W, 3] RGB, in one batch where the engine can.

        Raises:
            InputError: a frame is not of that dtype and shape, or is empty.
        """

    def close(self) -> None:
        """Free what the engine holds. Calling it twice is allowed; segmenting after it is not."""


class EngineUnavailable(RuntimeError):
    """This machine cannot run the engine asked for; the text says why and what would help."""


def check_frame(frame: np.ndarray) -> None:
    """Raise InputError unless `frame` is a non-empty uint8 array [H, W, 3]."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
        raise InputError(f'a frame must be a uint8 array, this is {kind}; convert it to 8-bit RGB')
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise InputError(
            f'a frame must have shape [height, width, 3], this has {list(frame.shape)}; '
            'convert it to RGB'
        )
    if frame.size == 0:
        raise InputError(f'a frame must not be empty, this has shape {list(frame.shape)}')
