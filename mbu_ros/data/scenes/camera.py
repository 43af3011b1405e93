# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera: a pinhole on a car that follows its lane, sways and yaws slightly."""

from dataclasses import dataclass

import numpy as np

from .randomness import CAMERA, stream
from .street import Street

NEAR = 0.4
"""Metres; nothing nearer is drawn."""


@dataclass(frozen=True)
class Pose:
    """Where the camera is at one instant.

    position: [3] in metres; axes: [3, 3], rows right, down, forward; focal: in pixels.
    """

    position: np.ndarray
    axes: np.ndarray
    focal: float
    height: int
    width: int

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Return world points [n, 3] in camera axes (right, down, forward), metres."""
        return (points - self.position) @ self.axes.T

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Project points in camera axes [n, 3], forward > 0, to pixels [n, 2] (column, row)."""
        centre = ((self.width - 1) / 2, (self.height - 1) / 2)
        return points[:, :2] * (self.focal / points[:, 2:]) + centre

    def rays(self, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return world directions (x, y, z) of pixels, each float32 [n].

        Their component along the camera's forward axis is 1.
        """
        right = ((columns - (self.width - 1) / 2) / self.focal).astype(np.float32)
        down = ((rows - (self.height - 1) / 2) / self.focal).astype(np.float32)
        axes = self.axes.astype(np.float32)
        return tuple(right * axes[0, k] + down * axes[1, k] + axes[2, k] for k in range(3))


@dataclass(frozen=True)
class Wobble:
    """A smooth wave about zero, a sum of sines: amplitudes, rates (rad/s) and phases."""

    amplitude: np.ndarray
    rate: np.ndarray
    phase: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, size: float, slow: float, fast: float) -> 'Wobble':
        """Draw a wave of about `size`, with periods between `fast` and `slow` seconds."""
        return cls(
            size * np.array([0.7, 0.3]),
            2 * np.pi / rng.uniform([(slow + fast) / 2, fast], [slow, (slow + fast) / 2]),
            rng.uniform(0, 2 * np.pi, 2),
        )

    def at(self, time: float) -> float:
        """Return the wave at a time in seconds."""
        return float(self.amplitude @ np.sin(self.rate * time + self.phase))


class Camera:
    """The camera of one drive: its path in closed form, so that any time can be asked for."""

    def __init__(self, seed: int, street: Street) -> None:
        """Draw speed, mounting and motion."""
        rng = stream(seed, CAMERA)
        self._street = street
        self.speed = float(rng.uniform(5, 14))
        self._eye = float(rng.uniform(1.3, 1.5))
        self._view = float(np.radians(rng.uniform(60, 75)))
        self._pitch = float(np.radians(rng.uniform(-1.0, 3.0)))
        self._surge = Wobble.draw(rng, 0.6, 12, 5)
        self._sway = Wobble.draw(rng, 0.2, 9, 4)
        self._yaw_wave = Wobble.draw(rng, np.radians(1.2), 7, 2)
        self._pitch_wave = Wobble.draw(rng, np.radians(0.5), 3, 0.8)
        self._roll_wave = Wobble.draw(rng, np.radians(0.7), 4, 1.2)

    def distance(self, time: float) -> float:
        """Return how far along the street (z, metres) the camera is at a time."""
        return self.speed * time + self._surge.at(time)

    def pose(self, time: float, height: int, width: int) -> Pose:
        """Return the pose at a time in seconds, for an image size."""
        street = self._street
        z = self.distance(time)
        x = street.centre(z) + street.side * street.lane / 2 + self._sway.at(time)
        position = np.array([x, street.ground(z) + self._eye, z])
        # The car points where the road goes a little ahead, as a driver steers.
        yaw = np.arctan(street.slope(z + 4)) + self._yaw_wave.at(time)
        pitch = np.arctan(street.grade(z)) - self._pitch + self._pitch_wave.at(time)
        roll = self._roll_wave.at(time)
        forward = np.array(
            [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
        )
        level = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        lower = np.cross(level, forward)
        if lower[1] > 0:
            lower = -lower
        right = np.cos(roll) * level + np.sin(roll) * lower
        down = -np.sin(roll) * level + np.cos(roll) * lower
        focal = max(width, height) / 2 / np.tan(self._view / 2)
        return Pose(position, np.stack([right, down, forward]), float(focal), height, width)
