# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trees: a trunk with branches and an irregular crown of many leafy clumps."""

from functools import lru_cache

import numpy as np

from .classes import TREE
from .mesh import Mesh, MeshBuilder

MODELS = 64
"""How many different trees there are; picking one is far faster than growing one."""

_CLUMPS, _FAR_CLUMPS = 9, 5
_OUTLINE = 26
_BEHIND = 26.0  # metres


def _generator(model: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(model))


@lru_cache(maxsize=2 * MODELS)
def tree_size(model: int, backyard: bool) -> tuple[float, float]:
    """Return (height, radius of the crown) in metres."""
    rng = _generator(model)
    height = rng.uniform(6, 12) if backyard else rng.uniform(4.5, 9)
    return float(height), float(
        height * (rng.uniform(0.3, 0.42) if backyard else rng.uniform(0.24, 0.34))
    )


@lru_cache(maxsize=2 * MODELS)
def tree_mesh(model: int, backyard: bool) -> Mesh:
    """Return a tree on the origin; its clumps face the camera and are lit as if on a ball.

    A tree behind buildings has fewer clumps, and the painter takes it for as far away as what hides
    it.
    """
    rng = _generator(MODELS + model)
    height, crown = tree_size(model, backyard)
    green = np.array([0.30, 0.40, 0.16]) * rng.uniform(0.75, 1.25) + rng.normal(0, 0.025, 3)
    mesh = MeshBuilder()
    mesh.begin(0, 0, _BEHIND if backyard else 0)
    radius = 0.018 * height + 0.03
    fork = height - 1.55 * crown
    bark = np.array([0.33, 0.27, 0.21]) * rng.uniform(0.7, 1.15)
    lean = rng.uniform(-0.2, 0.2)
    trunk = [(0, 0, 0)] * 2 + [(0, fork, 0)] * 2
    mesh.polygon(
        trunk,
        TREE,
        bark,
        spread=(-1.25 * radius, 1.25 * radius, lean + 0.75 * radius, lean - 0.75 * radius),
        texture='foliage',
        texel=(0.006, 0.03),
        normal=(0, 0.2, -0.8),
    )
    for sway in (-0.45, 0.1, 0.5):
        branch = [(0, fork - 0.2, 0)] * 2 + [(0, height - 0.6 * crown, 0)]
        mesh.polygon(
            branch,
            TREE,
            bark,
            spread=(lean - 0.6 * radius, lean + 0.6 * radius, lean + sway * crown),
            normal=(0, 0.2, -0.8),
        )
    centre = height - crown * 0.95
    angles = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
    # Low and inner clumps first: upper ones hang over them.
    clumps = _FAR_CLUMPS if backyard else _CLUMPS
    for step in range(clumps):
        if step == 0:
            place, size = np.array([0.0, -0.1, 0.0]), 0.72
        else:
            turn, rise = rng.uniform(0, 2 * np.pi), -0.55 + 1.15 * step / clumps
            reach = 0.62 * np.sqrt(max(0.05, 1 - rise * rise))
            place = np.array([reach * np.cos(turn), rise, reach * np.sin(turn)])
            size = rng.uniform(0.34, 0.52) * (1.2 if backyard else 1)
        ragged = _ragged(rng, angles)
        outline = crown * size * ragged
        at = place * crown
        across, up = outline * np.cos(angles), 0.9 * outline * np.sin(angles)
        points = np.empty((_OUTLINE, 3))
        points[:] = (0, centre + at[1], 0)
        points[:, 1] += up
        tone = (0.62 + 0.3 * (place[1] + 0.55)) * rng.uniform(0.85, 1.15)
        normal = place + np.array([0, 0.35, -0.35])
        # Spread, not x: seen from any direction the clump stays beside the trunk.
        mesh.polygon(
            points,
            TREE,
            tone * np.array(green),
            second=tone * np.array(green) * (0.75, 0.8, 0.7),
            spread=across + at[0] + lean,
            texture='foliage',
            texel=(0.02, 0.02),
            offset=(0, rng.integers(512)),
            normal=normal / np.linalg.norm(normal),
            convex=False,
        )
    return mesh.build()


def _ragged(rng: np.random.Generator, angles: np.ndarray) -> np.ndarray:
    """Return radii around 1 of an irregular outline."""
    radii = 1 + 0.09 * rng.standard_normal(len(angles))
    for wave in (2, 3, 5):
        radii += (
            0.12
            / np.sqrt(wave)
            * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
            * rng.standard_normal()
        )
    return np.clip(radii, 0.6, 1.4)
