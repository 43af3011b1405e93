# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""People: head, trunk, arms and legs that swing as they walk."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .classes import PERSON
from .mesh import Mesh, MeshBuilder

_SKINS = (
    (0.85, 0.66, 0.54),
    (0.72, 0.52, 0.40),
    (0.52, 0.36, 0.27),
    (0.36, 0.24, 0.18),
    (0.90, 0.72, 0.60),
)
_CLOTHES = (
    (0.12, 0.13, 0.16),
    (0.55, 0.10, 0.12),
    (0.15, 0.25, 0.50),
    (0.80, 0.78, 0.72),
    (0.30, 0.33, 0.25),
    (0.75, 0.55, 0.12),
    (0.45, 0.45, 0.48),
    (0.50, 0.30, 0.45),
    (0.10, 0.38, 0.36),
    (0.88, 0.45, 0.20),
    (0.28, 0.20, 0.16),
    (0.70, 0.30, 0.35),
)
_TROUSERS = (
    (0.12, 0.15, 0.26),
    (0.10, 0.10, 0.11),
    (0.32, 0.29, 0.24),
    (0.24, 0.30, 0.42),
    (0.45, 0.42, 0.38),
)
_HAIRS = (
    (0.08, 0.06, 0.05),
    (0.25, 0.16, 0.09),
    (0.55, 0.42, 0.22),
    (0.45, 0.45, 0.45),
    (0.15, 0.2, 0.4),
)

MODELS = 128
"""How many different people there are; picking one is far faster than making one."""


@dataclass(frozen=True)
class Looks:
    """How a person looks; height in metres, colours RGB in [0, 1]."""

    height: float
    build: float
    coat: bool
    bag: bool
    skin: np.ndarray
    top: np.ndarray
    trousers: np.ndarray
    hair: np.ndarray
    phase: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> 'Looks':
        """Draw a person, one in ten a child."""
        height = rng.uniform(1.1, 1.4) if rng.random() < 0.1 else rng.uniform(1.55, 1.92)

        def pick(colors):
            return np.clip(
                np.array(colors[rng.integers(len(colors))]) * rng.uniform(0.8, 1.2), 0, 1
            )

        return cls(
            height,
            rng.uniform(0.9, 1.2),
            bool(rng.random() < 0.35),
            bool(rng.random() < 0.3),
            pick(_SKINS),
            pick(_CLOTHES),
            pick(_TROUSERS),
            pick(_HAIRS),
            rng.uniform(0, 2 * np.pi),
        )


class Figure:
    """A person who can be put anywhere, at any moment of a step.

    Vertices are blended between three key poses: standing, right foot first, left foot first.
    """

    def __init__(self, looks: Looks, heading: float) -> None:
        """Build the key poses.

        heading: where the person looks on a straight street, in radians from z to x.
        """
        self._phase, self._stride = looks.phase, 0.85 * looks.height
        self._standing, right, left = (
            _pose(looks, heading, swing) for swing in (0.0, _SWING, -_SWING)
        )
        self._steps = (
            right.vertices - self._standing.vertices,
            left.vertices - self._standing.vertices,
        )

    def at(self, x: float, y: float, z: float, turn: float, walked: float, moving: bool) -> Mesh:
        """Return the person on (x, y, z), turned by `turn` radians, after `walked` metres."""
        swing = np.sin(self._phase + walked * 2 * np.pi / self._stride) if moving else 0.1
        step = abs(swing) * self._steps[0 if swing > 0 else 1]
        return replace(self._standing, vertices=self._standing.vertices + step).moved(x, y, z, turn)


@lru_cache(maxsize=4 * MODELS)
def figure(model: int, heading: float) -> Figure:
    """Return one of the MODELS people.

    heading: where the person looks on a straight street, in radians from z to x.
    """
    return Figure(Looks.draw(np.random.Generator(np.random.PCG64(model))), heading)


_SWING = 0.42  # radians, the widest angle of a leg


def _pose(looks: Looks, heading: float, swing: float) -> Mesh:
    """Return a person at the origin with the legs at an angle of `swing` radians."""
    mesh = MeshBuilder()
    mesh.begin(0, 0)
    h = looks.height
    b = looks.build * h
    ahead, across = (
        np.array([np.sin(heading), 0, np.cos(heading)]),
        np.array([np.cos(heading), 0, -np.sin(heading)]),
    )

    def joint(side: float, up: float, forward: float) -> np.ndarray:
        return across * side + ahead * forward + np.array([0.0, up, 0.0])

    def limb(
        start: np.ndarray, end: np.ndarray, wide: float, narrow: float, color: np.ndarray
    ) -> None:
        mesh.polygon(
            [start, start, end, end],
            PERSON,
            color,
            spread=(-wide, wide, narrow, -narrow),
            texture='cloth',
            texel=(0.004, 0.004),
            normal=(0, 0.25, -0.8),
        )

    def leg(side: int, angle: float) -> None:
        hip = joint(side * 0.05 * b, 0.5 * h, 0)
        knee = joint(side * 0.052 * b, 0.27 * h, 0.23 * h * np.sin(angle + 0.12))
        # The rear leg bends, which lifts its foot.
        bend = max(0.0, -angle) * 0.5
        foot = joint(
            side * 0.055 * b, 0.02 * h + bend * 0.12 * h, 0.47 * h * np.sin(angle) - bend * 0.1 * h
        )
        limb(hip, knee, 0.052 * b, 0.04 * b, looks.trousers)
        limb(knee, foot, 0.04 * b, 0.027 * b, looks.trousers * 0.92)
        toe = foot + ahead * 0.1 * h
        mesh.polygon(
            [foot, foot, toe, toe],
            PERSON,
            (0.08, 0.07, 0.07),
            normal=(0, 0.5, -0.5),
            spread=(-0.03 * b, 0.03 * b, 0.03 * b, -0.03 * b),
        )
        limb(
            foot + (0, 0.03 * h, 0),
            foot - (0, 0.02 * h, 0),
            0.028 * b,
            0.034 * b,
            np.array([0.08, 0.07, 0.07]),
        )

    def arm(side: int, angle: float) -> None:
        shoulder = joint(side * 0.115 * b, 0.8 * h, 0)
        elbow = joint(side * 0.135 * b, 0.63 * h, 0.17 * h * np.sin(angle))
        hand = joint(side * 0.13 * b, 0.48 * h, 0.34 * h * np.sin(angle + 0.15))
        limb(shoulder, elbow, 0.033 * b, 0.028 * b, looks.top * 0.9)
        limb(elbow, hand, 0.028 * b, 0.02 * b, looks.top * 0.85)
        limb(hand, hand - (0, 0.04 * h, 0), 0.02 * b, 0.018 * b, looks.skin)

    # Of each pair the limb on the far side first: the camera always looks along z.
    first = 1 if across[2] > 0 else -1
    arm(first, -swing * first)
    leg(first, swing * first)
    leg(-first, -swing * first)
    hem = 0.36 if looks.coat else 0.47
    chest = [joint(0, up * h, 0) for up in (hem, hem, 0.62, 0.8, 0.835, 0.835, 0.8, 0.62)]
    # Seen from the side a trunk is narrower than from the front.
    slim = 0.62 + 0.38 * abs(ahead[2])
    half = np.array([-0.105, 0.105, 0.095, 0.125, 0.05, -0.05, -0.125, -0.095]) * b * slim
    mesh.polygon(
        chest,
        PERSON,
        looks.top,
        spread=half,
        second=looks.top * 0.8,
        texture='cloth',
        texel=(0.005, 0.005),
        normal=(0, 0.3, -0.8),
    )
    if looks.bag:
        back = joint(0, 0.7 * h, -0.1 * h)
        mesh.polygon(
            [back] * 4 + np.array([(0, -0.11 * h, 0)] * 2 + [(0, 0.09 * h, 0)] * 2),
            PERSON,
            looks.hair * 0.5 + 0.1,
            spread=np.array([-0.08, 0.08, 0.07, -0.07]) * b,
            normal=(0, 0.3, -0.8),
        )
    arm(-first, swing * first)
    turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    head = joint(0, 0.925 * h, 0.01 * h)
    away = ahead[2] > 0.3
    limb(joint(0, 0.82 * h, 0), joint(0, 0.88 * h, 0), 0.03 * b, 0.03 * b, looks.skin * 0.9)
    mesh.polygon(
        head + np.outer(np.sin(turn), (0, 0.07 * h, 0)),
        PERSON,
        looks.hair if away else looks.skin,
        spread=0.05 * h * np.cos(turn),
        normal=(0, 0.3, -0.8),
    )
    if not away:
        cap = turn[1:5] - 0.2
        mesh.polygon(
            head + np.outer(np.sin(cap), (0, 0.074 * h, 0)),
            PERSON,
            looks.hair,
            spread=0.053 * h * np.cos(cap),
            normal=(0, 0.6, -0.6),
        )
    return mesh.build()
