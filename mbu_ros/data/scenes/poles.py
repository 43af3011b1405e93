# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Poles: street lamps, wooden poles, and signs on posts (the sign counts as pole)."""

import numpy as np

from .classes import POLE
from .mesh import MeshBuilder
from .street import Street
from .world import Pole

_RED, _BLUE, _WHITE, _YELLOW, _GREEN = (
    (0.7, 0.08, 0.08),
    (0.08, 0.2, 0.6),
    (0.9, 0.9, 0.9),
    (0.85, 0.7, 0.1),
    (0.1, 0.4, 0.2),
)


def add_pole(mesh: MeshBuilder, pole: Pole, street: Street) -> None:
    """Add a pole that stands on the ground."""
    rng = np.random.Generator(np.random.PCG64(pole.seed))
    x, y, z = street.centre(pole.z) + pole.x, street.ground(pole.z), pole.z
    mesh.begin(x, z)
    steel = np.array([0.42, 0.44, 0.46]) if rng.random() < 0.6 else np.array([0.14, 0.17, 0.16])
    color = np.array([0.36, 0.29, 0.22]) if pole.kind == 'wire' else steel
    shaft(mesh, x, z, y, y + pole.height, pole.radius, 0.75 * pole.radius, color)
    if pole.kind == 'lamp':
        _lamp(mesh, pole, x, y, z, color, rng)
    elif pole.kind == 'sign':
        _sign(mesh, x, y + pole.height - 0.4, z, rng)
    else:
        for drop in (0.3, 0.8):
            top = y + pole.height - drop
            mesh.polygon(
                [
                    (x - 0.8, top, z),
                    (x + 0.8, top, z),
                    (x + 0.8, top + 0.1, z),
                    (x - 0.8, top + 0.1, z),
                ],
                POLE,
                color * 0.9,
                normal=(0, 0, -1),
            )


def shaft(
    mesh: MeshBuilder,
    x: float,
    z: float,
    low: float,
    high: float,
    wide: float,
    narrow: float,
    color: np.ndarray,
) -> None:
    """Add an upright tapered rod, darker at its right third so that it looks round."""

    def part(left: float, right: float, shade: float) -> None:
        mesh.polygon(
            [(x, low, z)] * 2 + [(x, high, z)] * 2,
            POLE,
            np.asarray(color) * shade,
            spread=(left * wide, right * wide, right * narrow, left * narrow),
            texture='plaster',
            texel=(0.01, 0.02),
            normal=(0, 0.2, -0.8),
        )

    part(-1, 1, 1.0)
    part(0.25, 1, 0.72)


def _lamp(
    mesh: MeshBuilder,
    pole: Pole,
    x: float,
    y: float,
    z: float,
    color: np.ndarray,
    rng: np.random.Generator,
) -> None:
    reach, top = pole.toward * rng.uniform(1.0, 2.2), y + pole.height
    thick = 0.06
    mesh.polygon(
        [
            (x, top - 0.25, z),
            (x + reach, top + 0.1, z),
            (x + reach, top + 0.1 + thick, z),
            (x, top - 0.25 + 2 * thick, z),
        ],
        POLE,
        color,
        normal=(0, 0.3, -0.7),
    )
    end = x + reach
    mesh.polygon(
        [
            (end - 0.12, top + 0.02, z),
            (end + pole.toward * 0.6, top + 0.06, z),
            (end + pole.toward * 0.5, top + 0.2, z),
            (end, top + 0.24, z),
        ],
        POLE,
        color * 0.8,
        normal=(0, 0.3, -0.7),
    )
    if rng.random() < 0.35:  # a small plate low on the mast
        _plate(mesh, x, y + 2.3, z - pole.radius, 0.22, 0.3, _WHITE)


def _plate(
    mesh: MeshBuilder, x: float, y: float, z: float, half: float, tall: float, color
) -> None:
    mesh.polygon(
        [
            (x - half, y - tall / 2, z),
            (x + half, y - tall / 2, z),
            (x + half, y + tall / 2, z),
            (x - half, y + tall / 2, z),
        ],
        POLE,
        color,
        normal=(0, 0, -1),
    )


def _disc(
    mesh: MeshBuilder, x: float, y: float, z: float, radius: float, corners: int, turn: float, color
) -> None:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
    ring = np.stack(
        [x + radius * np.cos(angles), y + radius * np.sin(angles), np.full(corners, z)], 1
    )
    mesh.polygon(ring, POLE, color, normal=(0, 0, -1))


def _sign(mesh: MeshBuilder, x: float, y: float, z: float, rng: np.random.Generator) -> None:
    z -= 0.06
    kind = rng.integers(6)
    size = rng.uniform(0.3, 0.42)
    if kind == 0:
        _disc(mesh, x, y, z, size, 16, 0, _RED)
        _disc(mesh, x, y, z - 0.01, 0.74 * size, 16, 0, _WHITE)
        _plate(mesh, x, y, z - 0.02, 0.3 * size, 0.5 * size, (0.1, 0.1, 0.1))
    elif kind == 1:
        _disc(mesh, x, y, z, 1.15 * size, 3, np.pi / 2, _RED)
        _disc(mesh, x, y, z - 0.01, 0.75 * size, 3, np.pi / 2, _WHITE)
    elif kind == 2:
        _disc(mesh, x, y, z, size, 8, np.pi / 8, _RED)
        _plate(mesh, x, y, z - 0.01, 0.7 * size, 0.28 * size, _WHITE)
    elif kind == 3:
        _disc(mesh, x, y, z, size, 16, 0, _BLUE)
        _disc(mesh, x, y, z - 0.01, 0.3 * size, 8, 0, _WHITE)
    elif kind == 4:
        _disc(mesh, x, y, z, 1.2 * size, 4, 0, _YELLOW)
    else:
        color = (_BLUE, _GREEN, _WHITE)[rng.integers(3)]
        _plate(mesh, x, y, z, 1.4 * size, 1.3 * size, color)
        _plate(
            mesh,
            x,
            y + 0.1,
            z - 0.01,
            0.9 * size,
            0.2 * size,
            _WHITE if color != _WHITE else (0.1, 0.1, 0.1),
        )
        _plate(
            mesh,
            x,
            y - 0.12,
            z - 0.01,
            0.7 * size,
            0.15 * size,
            _WHITE if color != _WHITE else (0.1, 0.1, 0.1),
        )
