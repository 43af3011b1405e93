# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to the network's size and masks back, by rules that give the same bits everywhere."""

from __future__ import annotations

import cv2
import numpy as np


def resize_frame(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, in OpenCV's bit-exact fixed-point form: uint8 [H, W, 3] to [height, width, 3].

    INTER_LINEAR proper takes a different path per processor, and may differ by a grey level.
    """
    if frame.shape[:2] == (height, width):
        return frame
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Nearest neighbour by pixel centres: [h, w] to [height, width] of the same type.

    Output pixel (y, x) takes input pixel (((2y + 1) h) // (2 height), ((2x + 1) w) // (2 width)),
    in integers, so that every engine can do exactly this.
    """
    rows, columns = mask.shape
    if (rows, columns) == (height, width):
        return mask
    row = (2 * np.arange(height) + 1) * rows // (2 * height)
    column = (2 * np.arange(width) + 1) * columns // (2 * width)
    # Along one axis and then the other, the way that leaves less for the columns to do: whole rows
    # are copied at once, columns element by element.
    resized: np.ndarray
    if height < rows:
        resized = mask.take(row, axis=0).take(column, axis=1)
    else:
        resized = mask.take(column, axis=1).take(row, axis=0)
    return resized
