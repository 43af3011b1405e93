# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a camera's frame lies in memory, for the encodings that the GPU reads by itself."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import MAX_PIXELS

MAX_STEP = 2**31 - 1
"""Kernels take the step as a C int."""


@dataclass(frozen=True)
class _Layout:
    reader: str  # the kernels' name for it
    pixel_bytes: int  # in a row
    even: bool = False  # neighbouring pixels share their colour
    half_plane: bool = False  # a plane of half as many rows follows, with colour for 2x2 pixels


_LAYOUTS = {
    'rgb8': _Layout('rgb8', 3),
    'bgr8': _Layout('bgr8', 3),
    'rgba8': _Layout('rgba8', 4),
    'bgra8': _Layout('bgra8', 4),
    'mono8': _Layout('mono8', 1),
    'yuv422': _Layout('uyvy', 2, even=True),
    'uyvy': _Layout('uyvy', 2, even=True),
    'yuv422_yuy2': _Layout('yuyv', 2, even=True),
    'yuyv': _Layout('yuyv', 2, even=True),
    'nv12': _Layout('nv12', 1, even=True, half_plane=True),
}

ENCODINGS = tuple(_LAYOUTS)
"""Encodings of sensor_msgs/Image that a `FrameFormat` may have. `to_rgb` reads all the others."""


@dataclass(frozen=True)
class FrameFormat:
    """Encoding and size of a camera's frames.

    Attributes:
        encoding: one of `ENCODINGS`.
        height, width: in pixels.
        step: bytes from one row to the next; rows may be padded.

    Raises:
        InputError: the encoding is none of those, or sizes and step do not fit it.
    """

    encoding: str
    height: int
    width: int
    step: int

    def __post_init__(self) -> None:
        if self.encoding not in _LAYOUTS:
            raise InputError(
                f'the GPU does not read encoding {self.encoding[:40]!r}; convert the frame with '
                f'imaging.messages.to_rgb, or publish one of {", ".join(ENCODINGS)}'
            )
        layout = _LAYOUTS[self.encoding]
        size = f'{self.encoding} image of {self.width}x{self.height}'
        if self.height <= 0 or self.width <= 0:
            raise InputError(f'{size} is empty; width and height must be at least 1')
        if self.height * self.width > MAX_PIXELS:
            raise InputError(f'{size} is too large; at most {MAX_PIXELS} pixels are taken')
        if layout.even and self.width % 2 or layout.half_plane and self.height % 2:
            raise InputError(f'{size}: this encoding needs an even size, its pixels share colours')
        row_bytes = self.width * layout.pixel_bytes
        if not row_bytes <= self.step <= MAX_STEP:
            raise InputError(
                f'{size} has step {self.step}; it must be {row_bytes}, the bytes of a row, or '
                f'more, at most {MAX_STEP}'
            )

    @property
    def bytes(self) -> int:
        """Bytes of one frame, the padding of its last row included."""
        rows = self.height * 3 // 2 if _LAYOUTS[self.encoding].half_plane else self.height
        return rows * self.step

    @property
    def reader(self) -> str:
        """What the kernels call its encoding: several names stand for the same bytes."""
        return _LAYOUTS[self.encoding].reader
