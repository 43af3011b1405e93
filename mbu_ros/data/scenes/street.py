# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What stays the same along a drive: the course of the street and its cross-section, in metres.

Lateral positions are measured from the road's centre line, positive to the right.
"""

from dataclasses import dataclass

import numpy as np

from . import randomness
from .randomness import stream

KERB = 0.22


@dataclass(frozen=True)
class Street:
    """What stays the same along a drive; lengths in metres, pairs are (left, right)."""

    side: int  # +1: traffic keeps to the right, -1: to the left
    lane: float
    parking: tuple[float, float]
    strip: float  # between kerb and footway: trees and poles stand here
    strip_grass: bool
    footway: float
    setback: float  # front gardens or forecourts, up to the usual building line
    setback_grass: bool
    edge_lines: bool
    dash: float
    town: float  # 0: houses with gaps, 1: closed rows of tall buildings
    tree_spacing: float
    pole_spacing: float
    walker_spacing: float
    traffic_spacing: float
    waves: np.ndarray  # [3, 2]: amplitude, angular frequency, phase of the centre line
    hills: np.ndarray  # the same of the height

    def half(self, side: int) -> float:
        """Return the distance from the centre line to the kerb of a side (-1 left, +1 right)."""
        return self.lane + self.parking[side > 0]

    def line(self, side: int) -> float:
        """Return the distance from the centre line to the usual building line of a side."""
        return self.half(side) + KERB + self.strip + self.footway + self.setback

    def centre(self, z):
        """Return x of the centre line at z."""
        return _wave(self.waves, z)

    def slope(self, z):
        """Return dx/dz of the centre line."""
        return _wave_slope(self.waves, z)

    def ground(self, z):
        """Return the height of the ground at z."""
        return _wave(self.hills, z)

    def grade(self, z):
        """Return dy/dz of the ground."""
        return _wave_slope(self.hills, z)


def _wave(wave: np.ndarray, z):
    return sum(a * np.sin(w * z + p) for a, w, p in wave.T)


def _wave_slope(wave: np.ndarray, z):
    return sum(a * w * np.cos(w * z + p) for a, w, p in wave.T)


def draw_street(seed: int) -> Street:
    """Draw what stays the same along a drive."""
    rng = stream(seed, randomness.STREET)
    town = float(rng.choice([rng.uniform(0, 0.3), rng.uniform(0.5, 1)]))
    length = rng.uniform([300, 130], [520, 220])
    bend = rng.uniform([0.02, 0.0], [0.09, 0.035])  # greatest slope of each wave
    steep = rng.uniform([0.0, 0.0], [0.022, 0.006])
    frequency = 2 * np.pi / length
    hill_frequency = 2 * np.pi / rng.uniform([260, 120], [420, 200])
    return Street(
        side=int(rng.choice([1, 1, -1])),
        lane=float(rng.uniform(2.8, 3.4)),
        parking=tuple(float(v) for v in rng.choice([0.0, 2.2, 2.3], 2, p=[0.5, 0.3, 0.2])),
        strip=float(rng.uniform(0.9, 2.4)),
        strip_grass=bool(rng.random() < 0.5 - 0.3 * town),
        footway=float(rng.uniform(2.0, 4.2)),
        setback=float(rng.uniform(0, 1) if town > 0.4 else rng.uniform(2, 6)),
        setback_grass=bool(rng.random() < 0.9 - 0.7 * town),
        edge_lines=bool(rng.random() < 0.4),
        dash=float(rng.uniform(2, 4)),
        town=town,
        tree_spacing=float(rng.uniform(7, 22)),
        pole_spacing=float(rng.uniform(9, 17)),
        walker_spacing=float(rng.uniform(3.5, 9)),
        traffic_spacing=float(rng.uniform(25, 70)),
        waves=np.stack([bend / frequency, frequency, rng.uniform(0, 2 * np.pi, 2)]),
        hills=np.stack([steep / hill_frequency, hill_frequency, rng.uniform(0, 2 * np.pi, 2)]),
    )
