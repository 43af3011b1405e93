# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one place where image messages become arrays and arrays become image messages.

It works on the message objects of rclpy and of rosbags alike and imports neither. A message comes
from another machine and is believed in nothing: every size is checked against the bytes that are
there before any of them is read.

The encodings that cameras send most need no more than one OpenCV call and are done here, rgb8
without even a copy. All others go through cv_bridge where ROS 2 brings it and rosbags-image
elsewhere. Both scale 16 bits to 8 by 255/65535; cv_bridge rounds and rosbags-image cuts off, so
they may differ by one grey level.
"""

from __future__ import annotations

import array
import functools
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mbu_ros.errors import InputError
from mbu_ros.imaging.compressed import decode_bgr
from mbu_ros.imaging.size import check_pixels

# Encodings done here: channels, and the OpenCV conversion to RGB (None: it is RGB already).
_DIRECT = {
    'rgb8': (3, None),
    'bgr8': (3, cv2.COLOR_BGR2RGB),
    'rgba8': (4, cv2.COLOR_RGBA2RGB),
    'bgra8': (4, cv2.COLOR_BGRA2RGB),
    'mono8': (1, cv2.COLOR_GRAY2RGB),
    '8UC1': (1, cv2.COLOR_GRAY2RGB),
}

_BAYER = ('rggb', 'bggr', 'gbrg', 'grbg')


@dataclass(frozen=True)
class _Layout:
    """How an encoding lies in memory: bytes per pixel of a row, bytes per number."""

    pixel_bytes: int
    number_bytes: int = 1
    even_width: bool = False  # two neighbouring pixels share their colour
    half_plane: bool = False  # a plane of half as many rows follows, with colour for 2x2 pixels


_LAYOUTS = {
    **{name: _Layout(channels) for name, (channels, _) in _DIRECT.items()},
    **{name: _Layout(6, 2) for name in ('rgb16', 'bgr16')},
    **{name: _Layout(8, 2) for name in ('rgba16', 'bgra16')},
    'mono16': _Layout(2, 2),
    **{f'bayer_{order}8': _Layout(1) for order in _BAYER},
    **{f'bayer_{order}16': _Layout(2, 2) for order in _BAYER},
    **{name: _Layout(2, even_width=True) for name in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv')},
    **{name: _Layout(1, even_width=True, half_plane=True) for name in ('nv12', 'nv21')},
}

ENCODINGS = tuple(_LAYOUTS)
"""Encodings of sensor_msgs/Image that `to_rgb` understands."""


@dataclass(frozen=True)
class _TightImage:
    """An Image message that was checked: no padding, numbers in this machine's byte order."""

    height: int
    width: int
    encoding: str
    step: int
    data: np.ndarray
    is_bigendian: bool = sys.byteorder == 'big'


def to_rgb(message: Any) -> np.ndarray:
    """Convert a sensor_msgs Image or CompressedImage to uint8 [H, W, 3], RGB, contiguous.

    The result may share the message's memory: do not write to it. For nv12 and nv21 `height` is
    the image's, and the data hold one and a half times as many rows.

    Raises:
        InputError: the encoding is unknown, the image is empty or larger than
            `size.MAX_PIXELS`, step or length of data do not fit its size, or it cannot be decoded.
    """
    if hasattr(message, 'format'):
        return cv2.cvtColor(decode_bgr(message), cv2.COLOR_BGR2RGB)
    rows = _checked_rows(message, ENCODINGS)
    if message.encoding not in _DIRECT:
        return _convert(_tighten(message, rows))
    channels, code = _DIRECT[message.encoding]
    pixels = rows if channels == 1 else _split_channels(rows, channels)
    return np.ascontiguousarray(pixels) if code is None else cv2.cvtColor(pixels, code)


def to_label(message: Any) -> np.ndarray:
    """Convert a sensor_msgs Image of class ids (mono8 or 8UC1) to uint8 [H, W], contiguous.

    The result may share the message's memory: do not write to it.

    Raises:
        InputError: another encoding, or sizes that do not fit, as for `to_rgb`.
    """
    return np.ascontiguousarray(_checked_rows(message, ('mono8', '8UC1')))


def fill_image(message: Any, pixels: np.ndarray, encoding: str) -> None:
    """Put uint8 pixels [H, W] or [H, W, channels] into a sensor_msgs Image; leaves its header."""
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = pixels[0].size
    # rclpy takes an array.array as it is, where it would check bytes and lists number by number.
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).data)
    message.data = data


def check_size(
    encoding: str, height: int, width: int, step: int, encodings: Collection[str] = ENCODINGS
) -> tuple[int, int]:
    """Check that an image can have this encoding and size.

    Args:
        step: bytes from one row to the next.
        encodings: of `ENCODINGS`, those that can be used.

    Returns:
        Rows of its data, and the bytes of one without padding.

    Raises:
        InputError: the encoding is none of those, the image is empty or larger than
            `size.MAX_PIXELS`, or its size or step do not fit its encoding.
    """
    if encoding not in encodings:
        raise InputError(
            f'image encoding {encoding[:40]!r} cannot be used; publish one of '
            f'{", ".join(encodings)}'
        )
    layout = _LAYOUTS[encoding]
    size = f'{encoding} image of {width}x{height}'
    check_pixels(f'{encoding} image', height, width)
    if layout.even_width and width % 2 or layout.half_plane and height % 2:
        raise InputError(f'{size}: this encoding needs an even size, its pixels share colours')
    row_bytes = width * layout.pixel_bytes
    if step < row_bytes:
        raise InputError(f'{size} has step {step}; a row of it takes at least {row_bytes} bytes')
    return height * 3 // 2 if layout.half_plane else height, row_bytes


def check_image(message: Any) -> None:
    """Raise InputError unless the fields of a sensor_msgs Image fit each other and its data."""
    _checked_rows(message, ENCODINGS)


def check_bytes(encoding: str, height: int, width: int, step: int, rows: int, found: int) -> None:
    """Raise InputError unless an image of so many rows of data has as many bytes."""
    if found != step * rows:
        raise InputError(
            f'{encoding} image of {width}x{height} with step {step} must have {step * rows} bytes '
            f'of data, this has {found}'
        )


def _checked_rows(message: Any, encodings: Collection[str]) -> np.ndarray:
    """View the pixels of an Image as uint8 [rows, bytes of a row without padding]."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    rows, row_bytes = check_size(message.encoding, height, width, step, encodings)
    check_bytes(message.encoding, height, width, step, rows, len(message.data))
    return np.frombuffer(message.data, dtype=np.uint8).reshape(rows, step)[:, :row_bytes]


def _split_channels(rows: np.ndarray, channels: int) -> np.ndarray:
    """View [H, W * channels] as [H, W, channels], also where rows are padded (no copy)."""
    height, row_bytes = rows.shape
    return np.lib.stride_tricks.as_strided(
        rows, (height, row_bytes // channels, channels), (rows.strides[0], channels, 1)
    )


def _tighten(message: Any, rows: np.ndarray) -> _TightImage:
    data = np.ascontiguousarray(rows)
    if _LAYOUTS[message.encoding].number_bytes == 2:
        order = '>' if message.is_bigendian else '<'
        data = data.view(f'{order}u2').astype(np.uint16).view(np.uint8)
    # Both converters want nv12 and nv21 as one picture of all its rows.
    return _TightImage(
        len(rows), int(message.width), message.encoding, rows.shape[1], data.reshape(-1)
    )


def _convert(image: _TightImage) -> np.ndarray:
    reasons = []
    for convert in _converters():
        # A converter may also fail for reasons of its installation (a cv_bridge built for another
        # NumPy); the next one then does the work.
        try:
            return convert(image, 'rgb8')
        except Exception as error:
            reasons.append(str(error).strip().replace('\n', ' '))
    raise InputError(
        f'{image.encoding} image of {image.width}x{image.height} cannot be converted to RGB: '
        + '; '.join(reasons)
    )


@functools.cache
def _converters() -> tuple[Callable[[Any, str], np.ndarray], ...]:
    from rosbags.image import message_to_cvimage

    try:
        from cv_bridge import CvBridge
    except Exception:  # not there, or built for another NumPy, which raises what it likes
        return (message_to_cvimage,)
    return CvBridge().imgmsg_to_cv2, message_to_cvimage
