# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where along one axis a resize reads: small tables that the kernels look up."""

from __future__ import annotations

import numpy as np

from mbu_ros.imaging.resize import resize_mask


def linear_table(source: int, target: int) -> np.ndarray:
    """OpenCV's INTER_LINEAR_EXACT along an axis, from `source` to `target` pixels.

    Returns:
        int32 [target, 2]: output i lies between input pixels `index` and `index + 1`, of which the
        second counts `next` / 256 and the first the rest. Both exist, unless `source` is 1: then
        all are (0, 0).
    """
    if source == 1:
        return np.zeros((target, 2), np.int32)
    # In OpenCV's order of operations, each rounded to float64: other orders round elsewhere.
    scale = 1 / (target / source)
    position = scale * (np.arange(target) + 0.5) - 0.5
    index = np.floor(position)
    following = np.rint((position - index) * 256)  # halves to even
    # Beyond the outermost centres there is nothing to interpolate.
    following = np.where(index < 0, 0, np.where(index >= source - 1, 256, following))
    return np.stack([index.clip(0, source - 2), following], axis=-1).astype(np.int32)


def nearest_table(source: int, target: int) -> np.ndarray:
    """The input pixel that `resize_mask` takes for each output pixel: int32 [target]."""
    table: np.ndarray = resize_mask(np.arange(source, dtype=np.int32)[None], 1, target)[0]
    return table
