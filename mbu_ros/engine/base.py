# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The protocol that every engine follows, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mbu_ros.errors import InputError
from mbu_ros.model.deployed import Model

STAGES = ('resize', 'network', 'mask')
"""Stages that an engine times, in order: frame to network size, network, labels to frame size."""


@dataclass(frozen=True)
class RawFrame:
    """A frame as its camera sent it, with the fields of a sensor_msgs/Image.

    An engine on a GPU reads these bytes itself, which saves the conversion to RGB on the CPU.

    Attributes:
        data: the bytes, in a contiguous 1-D buffer: bytes, array.array('B'), uint8 array, ...
        height, width: of the image, in pixels.
        step: bytes from one row to the next.
        encoding: one of `imaging.messages.ENCODINGS`.
        is_bigendian: order of bytes; only the encodings of 16 bits have one.
    """

    data: Any
    height: int
    width: int
    step: int
    encoding: str
    is_bigendian: int = 0


Frame = np.ndarray | RawFrame
"""What engines segment: uint8 [H, W, 3] RGB, or a camera's bytes."""


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


@dataclass(frozen=True)
class Memory:
    """Memory of a device.

    Attributes:
        used: bytes that an engine holds there.
        free, total: bytes of the device, whoever holds the others.
    """

    used: int
    free: int
    total: int


class Engine(Protocol):
    """Runs one deployed model. An engine belongs to the thread that made it."""

    name: str
    """Short name: 'reference' or 'cuda'."""
    device: str
    """What it runs on, in words, for logs and reports."""
    architecture: str
    """Of the device, as compilers call it, such as 'sm_87' or 'x86_64'."""
    max_batch: int
    """Frames that it runs at once; of more it takes several batches."""
    model: Model

    def segment(self, frames: Sequence[Frame], *, confidence: bool = False) -> list[Segmentation]:
        """Segment frames of any sizes, in one batch where the engine can.

        Args:
            frames: each uint8 [H, W, 3] RGB, or a `RawFrame`.

        Raises:
            InputError: a frame is of another dtype or shape, is empty, or its bytes do not fit it.
            EngineError: the engine is closed, belongs to another thread, or its device failed.
        """

    def memory(self) -> Memory | None:
        """What it holds of a device's own memory; None of an engine on the CPU.

        Raises:
            EngineError: as for `segment`.
        """

    def close(self) -> None:
        """Free what the engine holds. Calling it twice is allowed; segmenting after it is not."""


class EngineUnavailable(RuntimeError):
    """This machine cannot run the engine asked for; the text says why and what would help."""


class EngineError(RuntimeError):
    """A running engine cannot do what was asked of it; the text says why and what would help."""


def check_frame(frame: Frame) -> None:
    """Raise InputError unless `frame` is a non-empty uint8 array [H, W, 3], or a RawFrame of bytes.

    Whether the bytes fit the fields of a RawFrame is for `imaging.messages.to_rgb` to say.
    """
    if isinstance(frame, RawFrame):
        _check_buffer(frame.data)
        return
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


def _check_buffer(data: Any) -> None:
    try:
        view = memoryview(data)
    except TypeError:
        raise InputError(
            f'the data of a frame must be a buffer of bytes, this is {type(data).__name__}'
        ) from None
    if view.ndim != 1 or view.itemsize != 1 or not view.c_contiguous:
        raise InputError(
            'the data of a frame must be one contiguous row of bytes, this has shape '
            f'{list(view.shape or ())}, {view.itemsize} bytes each and strides '
            f'{list(view.strides or ())}'
        )
