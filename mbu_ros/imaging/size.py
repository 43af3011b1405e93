# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of images that are taken at all."""

from __future__ import annotations

from mbu_ros.errors import InputError

MAX_PIXELS = 100_000_000
"""Larger images are refused: no camera sends them, and converting one takes many times its size."""


def check_pixels(kind: str, height: int, width: int) -> None:
    """Raise InputError for an image that is empty or larger than `MAX_PIXELS`.

    Args:
        kind: what it is, for the text: 'JPEG', 'rgb8 image', ...
    """
    if height <= 0 or width <= 0:
        raise InputError(
            f'{kind} of {width}x{height} is empty; width and height must be at least 1'
        )
    if height * width > MAX_PIXELS:
        raise InputError(
            f'{kind} of {width}x{height} is too large; at most {MAX_PIXELS} pixels are taken'
        )
