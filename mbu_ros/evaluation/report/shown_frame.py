# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A frame as pictures inside a page: image, label, mask and overlay as data URLs."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from mbu_ros.evaluation.report.kept_frame import JPEG_QUALITY, KeptFrame
from mbu_ros.imaging.overlay import Colors, colorize, overlay


@dataclass(frozen=True)
class ShownFrame:
    """One row of pictures.

    Attributes:
        kind: 'worst', 'median', 'best', or '' where nobody knows.
        title: which frame it is.
        score: its mIoU; None where it has none.
        pictures: data URLs by what they show.
        height, width: of each picture, in pixels.
    """

    kind: str
    title: str
    score: float | None
    pictures: dict[str, str]
    height: int
    width: int


def show_frame(kind: str, frame: KeptFrame, colors: Colors) -> ShownFrame:
    """Encode the pictures of a frame; see `ShownFrame` for `kind`."""
    image, mask, label = frame.image(), frame.mask(), frame.label()
    pictures = {'image': _url('jpeg', frame.jpeg)}
    if label is not None:
        pictures['label'] = _png(colorize(label, colors))
    pictures['mask'] = _png(colorize(mask, colors))
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    pictures['overlay'] = _url('jpeg', _encode('.jpg', overlay(image, mask, colors), quality))
    height, width = mask.shape
    return ShownFrame(kind, frame.title, frame.score, pictures, height, width)


def _png(rgb: np.ndarray) -> str:
    return _url('png', _encode('.png', rgb, [cv2.IMWRITE_PNG_COMPRESSION, 9]))


def _encode(suffix: str, rgb: np.ndarray, options: list[int]) -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def _url(kind: str, encoded: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(encoded).decode()}'
