# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Class ids as colours, alone or over the image they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mbu_ros.data.sample import IGNORE

Colors = Sequence[tuple[int, int, int]]


def colorize(
    labels: np.ndarray, colors: Colors, out: np.ndarray | None = None
) -> np.ndarray:
    """Paint class ids: uint8 [H, W] to uint8 [H, W, 3] RGB.

    `colors` holds one RGB triple per class. 255 (unlabelled), like any value that is no class, is
    black. The result is written to `out` where that is given.
    """
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(colors), 0] = colors
    # Despite its name it knows nothing of BGR, and it beats indexing by a wide margin.
    return cv2.applyColorMap(np.ascontiguousarray(labels), table, out)


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    colors: Colors,
    alpha: float = 0.5,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Blend class colours over an image; unlabelled pixels (255) keep the image.

    Args:
        image: uint8 [H, W, 3] RGB; it is not changed.
        labels: uint8 [H, W] class ids.
        colors: one RGB triple per class.
        alpha: weight of the colours, 0 (the image alone) to 1 (the colours alone).
        out: uint8 [H, W, 3], contiguous, to which the result is written; a new array if None.
    """
    painted = colorize(labels, colors)
    blended = cv2.addWeighted(painted, alpha, image, 1 - alpha, 0, painted if out is None else out)
    # Not cv2.compare, which takes an image of one pixel for a number.
    unlabelled = cv2.inRange(labels, IGNORE, IGNORE)
    if cv2.countNonZero(unlabelled):
        cv2.copyTo(image, unlabelled, blended)
    return blended
