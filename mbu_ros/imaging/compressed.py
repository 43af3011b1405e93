# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""JPEG and PNG of sensor_msgs/CompressedImage, decoded and encoded.

Other formats are refused: their size cannot be told before they are decoded, and a file of some
kilobytes may unfold to gigabytes.
"""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np

from mbu_ros.errors import InputError
from mbu_ros.imaging.jpeg import START as JPEG_START
from mbu_ros.imaging.jpeg import is_truncated, jpeg_size
from mbu_ros.imaging.size import check_pixels

PNG_START = b'\x89PNG\r\n\x1a\n'
JPEG_QUALITY = 90
"""Of 100; artefacts are not to be mistaken for mistakes of the network."""


def compressed_size(message: Any) -> tuple[int, int]:
    """Height and width that the header of a CompressedImage's data states.

    Raises:
        InputError: it is neither JPEG nor PNG, damaged, empty or larger than `size.MAX_PIXELS`.
    """
    return _checked_size(message, bytes(message.data))


def decode_bgr(message: Any) -> np.ndarray:
    """Decode a sensor_msgs/CompressedImage: uint8 [H, W, 3], BGR, contiguous.

    Orientation marks are not followed, as cv_bridge does not, so that a mask has the size that
    others see.

    Raises:
        InputError: as for `compressed_size`, or the rest is damaged or cut off.
    """
    content = bytes(message.data)
    if is_truncated(content):
        raise InputError(f'JPEG of {len(content)} bytes is truncated: it has no end marker')
    _checked_size(message, content)
    try:
        image = cv2.imdecode(
            np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error as error:
        raise InputError(f'compressed image ({_format(message)}): {error.err}') from error
    if image is None:
        raise _damaged(message)
    return image


def fill_jpeg(message: Any, pixels: np.ndarray) -> None:
    """Put uint8 RGB pixels [H, W, 3] into a sensor_msgs/CompressedImage; leaves its header."""
    encoded = cv2.imencode(
        '.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    )[1]
    # As image_transport writes it; subscribers read the encoding of the pixels from it.
    message.format = 'rgb8; jpeg compressed bgr8'
    data = array.array('B')
    data.frombytes(encoded.data)
    message.data = data


def _checked_size(message: Any, content: bytes) -> tuple[int, int]:
    if not content:
        raise InputError(f'compressed image ({_format(message)}) is empty')
    if content.startswith(JPEG_START):
        kind, size = 'JPEG', jpeg_size(content)
    elif content.startswith(PNG_START):
        kind, size = 'PNG', _png_size(content)
    else:
        raise InputError(
            f'compressed image ({_format(message)}, {len(content)} bytes) is neither JPEG nor '
            'PNG, or damaged; publish one of those'
        )
    if size is None:
        raise _damaged(message)
    check_pixels(kind, *size)
    return size


def _png_size(content: bytes) -> tuple[int, int] | None:
    """Height and width; the header is the first chunk of every PNG."""
    if len(content) < 24 or content[12:16] != b'IHDR':
        return None
    return int.from_bytes(content[20:24], 'big'), int.from_bytes(content[16:20], 'big')


def _format(message: Any) -> str:
    return repr(message.format[:40])


def _damaged(message: Any) -> InputError:
    return InputError(
        f'compressed image ({_format(message)}, {len(message.data)} bytes) is damaged or of a kind '
        'that OpenCV does not decode; publish JPEG or PNG'
    )
