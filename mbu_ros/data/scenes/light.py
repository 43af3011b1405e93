# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Light of a drive: sun, sky with clouds, haze, and the shadows that objects cast on the ground."""

from dataclasses import dataclass

import cv2
import numpy as np

from .randomness import LIGHT, stream
from .textures import INDEX, sample


@dataclass(frozen=True)
class Light:
    """Colours are RGB; a white surface that looks up is near 1 under sun and ambient together."""

    sun: np.ndarray  # unit vector towards the sun
    sun_color: np.ndarray
    ambient: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    cloud_color: np.ndarray
    cloud_cover: float  # 0 clear, 1 closed
    haze: float  # share lost per metre
    cloud_shift: np.ndarray

    def on(self, normals: np.ndarray) -> np.ndarray:
        """Return the light [n, 3] that falls on surfaces with unit normals [n, 3]."""
        facing = np.maximum(normals @ self.sun, 0)[:, None]
        upward = (0.78 + 0.22 * normals[:, 1])[:, None]
        return (self.ambient * upward + self.sun_color * facing).astype(np.float32)


def draw_light(seed: int) -> Light:
    """Draw the light of a drive: morning, noon, overcast or dusk."""
    rng = stream(seed, LIGHT)
    mood = rng.choice(['morning', 'noon', 'noon', 'overcast', 'dusk'])
    height, strength, warmth, ambient, zenith, horizon, cover = {
        'morning': (
            32,
            0.85,
            (1.0, 0.86, 0.66),
            (0.42, 0.46, 0.54),
            (0.38, 0.55, 0.82),
            (0.86, 0.85, 0.82),
            0.35,
        ),
        'noon': (
            55,
            0.72,
            (1.0, 0.97, 0.90),
            (0.46, 0.49, 0.54),
            (0.26, 0.48, 0.82),
            (0.76, 0.84, 0.92),
            0.35,
        ),
        'overcast': (
            50,
            0.12,
            (1.0, 1.0, 1.0),
            (0.76, 0.79, 0.83),
            (0.64, 0.68, 0.73),
            (0.80, 0.82, 0.84),
            0.9,
        ),
        'dusk': (
            24,
            0.66,
            (1.0, 0.70, 0.46),
            (0.42, 0.40, 0.46),
            (0.30, 0.36, 0.58),
            (0.93, 0.68, 0.50),
            0.4,
        ),
    }[mood]
    elevation = np.radians(height + rng.uniform(-6, 6))
    azimuth = rng.uniform(0, 2 * np.pi)
    sun = np.array(
        [
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ]
    )
    bright = rng.uniform(0.85, 1.12)
    cover = float(np.clip(cover + rng.uniform(-0.3, 0.3), 0, 1))
    horizon_color = np.array(horizon) * rng.uniform(0.95, 1.05, 3)
    return Light(
        sun=sun,
        sun_color=bright * strength * np.array(warmth),
        ambient=bright * np.array(ambient),
        zenith=bright * np.array(zenith),
        horizon=bright * horizon_color,
        cloud_color=np.clip(
            bright
            * (
                0.3 * horizon_color
                + 0.75 * np.array([0.97, 0.97, 1.0]) * (0.5 + 0.5 * np.mean(horizon))
            ),
            0,
            1.2,
        ),
        cloud_cover=cover,
        haze=float(
            rng.choice([rng.uniform(0.001, 0.0025), rng.uniform(0.003, 0.007)], p=[0.7, 0.3])
        ),
        cloud_shift=rng.uniform(0, 512, 2),
    )


def sky_color(light: Light, x: np.ndarray, y: np.ndarray, z: np.ndarray, time: float) -> np.ndarray:
    """Return the sky's colour [n, 3] in world directions x, y, z [n] (any length)."""
    length = 1 / np.sqrt(x * x + y * y + z * z)
    up = np.maximum(y * length, 0.0)
    share = np.sqrt(up)[:, None]
    color = light.horizon.astype(np.float32) * (1 - share) + light.zenith.astype(np.float32) * share
    toward = (x * light.sun[0] + y * light.sun[1] + z * light.sun[2]).astype(np.float32) * length
    glow = np.maximum(toward, 0) ** 24
    color += (0.35 * glow)[:, None] * light.sun_color.astype(np.float32)
    # Clouds lie on a plane high above, so that they shrink towards the horizon.
    scale = (90 / (up + 0.10)) * length
    shift = light.cloud_shift + 0.4 * time
    u, v = x * scale + np.float32(shift[0]), z * scale + np.float32(shift[1])
    bright, _ = sample(INDEX['cloud'], u, v, 0.6 / (up + 0.1))
    low = 1.35 - 1.1 * light.cloud_cover
    thick = np.clip((bright - low) * 1.9, 0, 1) * np.clip(up * 9, 0, 1) * 0.92
    shade = np.clip(1.06 - 0.22 * thick * bright, 0, 1.1)
    return color + thick[:, None] * (light.cloud_color.astype(np.float32) * shade[:, None] - color)


def shadow_outline(light: Light, points: np.ndarray) -> np.ndarray:
    """Return the convex outline [k, 2] (x, z) of the shadow of points [n, 3].

    Points are (x, height above the ground, z).
    """
    reach = -light.sun[[0, 2]] / light.sun[1]
    fallen = points[:, [0, 2]] + points[:, 1:2] * reach
    origin = fallen[0]
    hull = cv2.convexHull((fallen - origin).astype(np.float32))
    return hull[:, 0].astype(np.float64) + origin
