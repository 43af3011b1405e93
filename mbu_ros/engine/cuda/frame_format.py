# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a camera's frame lies in memory, for the encodings that the GPU reads by itself."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import check_bytes, check_size

MAX_STEP = 2**31 - 1
"""Kernels take the step as a C int."""

# What the kernels call an encoding: several names stand for the same bytes.
_READERS = {
    'rgb8': 'rgb8',
    'bgr8': 'bgr8',
    'rgba8': 'rgba8',
    'bgra8': 'bgra8',
    'mono8': 'mono8',
    '8UC1': 'mono8',
    'yuv422': 'uyvy',
    'uyvy': 'uyvy',
    'yuv422_yuy2': 'yuyv',
    'yuyv': 'yuyv',
    'nv12': 'nv12',
}

ENCODINGS = tuple(_READERS)
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
        self._rows()
        if self.step > MAX_STEP:
            raise InputError(
                f'{self.encoding} image of {self.width}x{self.height} has step {self.step}; the '
                f'GPU takes at most {MAX_STEP}'
            )

    @property
    def bytes(self) -> int:
        """Bytes of one frame, the padding of its last row included."""
        return self._rows() * self.step

    @property
    def reader(self) -> str:
        """What the kernels call its encoding."""
        return _READERS[self.encoding]

    def check_bytes(self, found: int) -> None:
        """Raise InputError unless a frame of this format has so many bytes."""
        check_bytes(self.encoding, self.height, self.width, self.step, self._rows(), found)

    def _rows(self) -> int:
        return check_size(self.encoding, self.height, self.width, self.step, ENCODINGS)[0]
