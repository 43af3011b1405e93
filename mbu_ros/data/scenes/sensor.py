# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's electronics and glass: exposure, vignetting, blur and noise."""

from functools import lru_cache

import cv2
import numpy as np

from .camera import Wobble
from .randomness import SENSOR, stream


@lru_cache(maxsize=4)
def _falloff(height: int, width: int) -> np.ndarray:
    """Return the squared distance from the centre, 1 at the corners, float32 [H, W, 1]."""
    rows, columns = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    return ((rows[:, None] ** 2 + columns**2) / 2).astype(np.float32)[..., None]


_POOL = 1 << 21


@lru_cache(maxsize=1)
def _normal_pool() -> np.ndarray:
    """Return normal numbers float32 [_POOL].

    Each frame starts at a place of its own in them, which is faster than drawing them anew.
    """
    return stream(0, SENSOR).standard_normal(_POOL, np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return normal noise float32 of a shape."""
    pool, count = _normal_pool(), int(np.prod(shape))
    start = int(rng.integers(max(_POOL - count, 1)))
    if count > _POOL:
        return np.resize(pool[start:], count).reshape(shape)
    return pool[start : start + count].reshape(shape).copy()


class Sensor:
    """The sensor of one drive."""

    def __init__(self, seed: int) -> None:
        """Draw how good the camera is."""
        rng = stream(seed, SENSOR)
        self._seed = seed
        self._exposure = Wobble.draw(rng, 0.06, 8, 2)
        self._gain = float(rng.uniform(1.15, 1.5))
        self._vignette = float(rng.uniform(0.05, 0.28))
        self._blur = float(rng.uniform(0.45, 0.75))
        self._noise = float(rng.uniform(0.008, 0.024))
        self._tint = rng.uniform(0.96, 1.04, 3)

    def develop(self, color: np.ndarray, index: int, time: float) -> np.ndarray:
        """Turn radiance float32 [H, W, 3] into the image uint8 [H, W, 3] of frame `index`."""
        height, width = color.shape[:2]
        shot = cv2.GaussianBlur(color, (3, 3), self._blur)
        gain = (self._gain * (1 + self._exposure.at(time)) * self._tint).astype(np.float32)
        shot *= gain
        shot *= 1 - self._vignette * _falloff(height, width)
        # Highlights roll off instead of clipping hard.
        over = np.maximum(shot - np.float32(0.75), 0)
        shot -= over
        over /= 1 + 2.2 * over
        shot += over
        noise = _noise(stream(self._seed, SENSOR, index), shot.shape)
        # Photon noise grows with the root of the light, read noise is constant.
        noise *= np.sqrt(shot * np.float32(self._noise**2) + np.float32(0.15 * self._noise**2))
        shot += noise
        shot *= 255
        return np.clip(shot, 0, 255, out=shot).astype(np.uint8)
