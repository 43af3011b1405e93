# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What closes the view: woods and a few far buildings on the horizon, which keep their bearing."""

import numpy as np

from .camera import Pose
from .classes import BUILDING, TREE
from .mesh import Mesh, MeshBuilder

_RADIUS = 320.0


class Backdrop:
    """The horizon of one drive."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw outlines by bearing."""
        self._bearing = np.radians(np.linspace(-75, 75, 220))
        rise = 0.012 + 0.010 * np.sin(self._bearing * rng.uniform(2, 6) + rng.uniform(0, 6))
        self._rise = np.maximum(rise + 0.006 * rng.standard_normal(220), 0.004) * rng.uniform(
            0.6, 1.8
        )
        self._green = np.array([0.24, 0.32, 0.18]) * rng.uniform(0.8, 1.2)
        self._houses = [
            (
                rng.uniform(-1.1, 1.1),
                rng.uniform(0.02, 0.06),
                rng.uniform(0.02, 0.07),
                rng.uniform(0.45, 0.75),
            )
            for _ in range(rng.integers(4, 16))
        ]

        self._mesh = self._build()

    def _build(self) -> Mesh:
        """Return the horizon around the origin, its foot at height 0."""
        mesh = MeshBuilder()

        def at(bearing: np.ndarray, rise: np.ndarray) -> np.ndarray:
            ahead = _RADIUS * np.cos(bearing)
            return np.stack([_RADIUS * np.sin(bearing), rise * ahead, ahead], -1)

        mesh.begin(0, 3 * _RADIUS)
        for bearing, width, height, tone in self._houses:
            corners = at(
                np.array([bearing, bearing + width, bearing + width, bearing]),
                np.array([0, 0, height, height]),
            )
            mesh.polygon(
                corners,
                BUILDING,
                (tone, tone * 0.96, tone * 0.92),
                second=(0.25, 0.28, 0.32),
                texture='windows_strip',
                texel=(0.04, 0.04),
                normal=(0, 0.1, -1),
            )
        mesh.begin(0, 2 * _RADIUS)
        ring = np.concatenate(
            [at(self._bearing, self._rise), at(self._bearing[[-1, 0]], np.zeros(2))]
        )
        mesh.polygon(
            ring,
            TREE,
            self._green,
            spread=np.zeros(len(ring)),
            texture='foliage',
            texel=(0.15, 0.15),
            normal=(0, 0.4, -0.8),
            convex=False,
        )
        return mesh.build()

    def mesh(self, pose: Pose, horizon: float) -> Mesh:
        """Return the horizon around the camera.

        horizon: dy/dz of the farthest ground in view.
        """
        mesh = self._mesh.moved(*pose.position, 0.0)
        # The foot is a little lower than the farthest ground, which hides the seam.
        lift = (horizon - 0.004) * self._mesh.vertices[:, 2]
        mesh.vertices[:, 1] += lift
        mesh.axes[:, 1] += (horizon - 0.004) * self._mesh.axes[:, 2]
        return mesh
