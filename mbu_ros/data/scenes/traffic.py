# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What moves: cars ahead, oncoming cars, and people on the footways and on crossings.

Everything is a closed form of time, so that any frame can be drawn without those before it.
"""

from functools import lru_cache

import numpy as np

from . import randomness
from .camera import Camera, Wobble
from .car_models import MODELS as CAR_MODELS
from .cars import car_mesh
from .mesh import Mesh
from .people import MODELS as PERSON_MODELS
from .people import Figure, figure
from .randomness import stream
from .street import KERB, Street
from .world import Block

_CAR_RANGE = 150.0
_WALK_RANGE = 75.0


class Traffic:
    """Moving cars and people of one drive."""

    def __init__(self, seed: int, street: Street, camera: Camera) -> None:
        """Draw the speeds of the streams."""
        self._seed, self._street, self._camera = seed, street, camera
        rng = stream(seed, randomness.ONCOMING)
        self._oncoming_speed = float(rng.uniform(6, 12))
        rng = stream(seed, randomness.TRAFFIC)
        self._gap = float(rng.uniform(9, 30)) if rng.random() < 0.65 else float(rng.uniform(50, 90))
        rng = stream(seed, randomness.WALKERS)
        self._paces = rng.uniform(1.0, 1.6, 4)
        self._ahead = lru_cache(maxsize=16)(self._draw_ahead)
        self._oncoming = lru_cache(maxsize=64)(self._draw_oncoming)
        self._walker = lru_cache(maxsize=256)(self._draw_walker)
        self._crossers = lru_cache(maxsize=16)(self._draw_crossers)

    def cars(self, time: float) -> list[tuple[int, float, float, float]]:
        """Return (model, x, z, heading) of the moving cars in range at a time in seconds."""
        street, ego = self._street, self._camera.distance(time)
        out = []

        def place(model: int, lane: int, z: float, sway: float) -> None:
            turn = 0.0 if lane == street.side else np.pi
            x = street.centre(z) + lane * street.lane / 2 + sway
            out.append((model, x, z, float(np.arctan(street.slope(z)) + turn)))

        for number in range(4):
            model, spread, wave = self._ahead(number)
            gap = self._gap + number * street.traffic_spacing * 0.6 + spread + wave.at(time)
            if gap < _CAR_RANGE:
                place(model, street.side, ego + gap, 0.1 * wave.at(2 * time))
        # Oncoming cars stand still in a frame that moves towards the camera.
        moved, spacing = self._oncoming_speed * time, street.traffic_spacing
        for number in range(
            int((ego + moved) // spacing) - 1, int((ego + moved + _CAR_RANGE) // spacing) + 1
        ):
            model, shift, sway = self._oncoming(number)
            z = number * spacing + shift * (spacing - 9) - moved
            if -8 < z - ego < _CAR_RANGE:
                place(model, -street.side, z, sway)
        return out

    def _draw_ahead(self, number: int) -> tuple[int, float, Wobble]:
        rng = stream(self._seed, randomness.TRAFFIC, number)
        return int(rng.integers(CAR_MODELS)), float(rng.uniform(0, 6)), Wobble.draw(rng, 1.5, 14, 6)

    def _draw_oncoming(self, number: int) -> tuple[int, float, float]:
        rng = stream(self._seed, randomness.ONCOMING, number)
        return int(rng.integers(CAR_MODELS)), float(rng.random()), float(rng.uniform(-0.2, 0.2))

    def car_meshes(self, time: float) -> list[Mesh]:
        """Return the moving cars in world coordinates."""
        return [
            car_mesh(model).moved(x, self._street.ground(z), z, heading)
            for model, x, z, heading in self.cars(time)
        ]

    def _draw_walker(self, lane: int, number: int) -> tuple[Figure, float, float, bool]:
        rng = stream(self._seed, randomness.WALKERS, lane, number)
        return (
            figure(int(rng.integers(PERSON_MODELS)), np.pi * (lane % 2)),
            float(rng.random()),
            float(rng.random()),
            bool(rng.random() < 0.9),
        )

    def people(self, time: float, blocks: list[Block]) -> list[Mesh]:
        """Return all people near the camera at a time, in world coordinates."""
        out = []
        street, ego = self._street, self._camera.distance(time)
        spacing = 2 * street.walker_spacing
        for lane in range(4):
            side, onward = (-1, 1)[lane // 2], (1, -1)[lane % 2]
            moved = onward * self._paces[lane] * time
            for number in range(
                int((ego - moved) // spacing) - 1, int((ego - moved + _WALK_RANGE) // spacing) + 1
            ):
                person, shift, place, there = self._walker(lane, number)
                z = (number + shift) * spacing + moved
                if there and 0.5 < z - ego < _WALK_RANGE:
                    lateral = side * (
                        street.half(side)
                        + KERB
                        + street.strip * 0.8
                        + 0.4
                        + place * (street.footway - 0.6)
                    )
                    out.append(
                        person.at(
                            street.centre(z) + lateral,
                            street.ground(z),
                            z,
                            float(np.arctan(street.slope(z))),
                            abs(moved),
                            True,
                        )
                    )
        for block in blocks:
            for z0, z1 in block.crossings:
                if 1 < z0 - ego < _WALK_RANGE:
                    out += self._crossing(ego, z0, z1)
        return out

    def _draw_crossers(self, z0: float) -> list[tuple[Figure, float, float, int, bool]]:
        rng = stream(self._seed, randomness.CROSSERS, int(z0 * 10))
        out = []
        for _ in range(int(rng.integers(1, 5))):
            direction = int(rng.choice([-1, 1]))
            out.append(
                (
                    figure(int(rng.integers(PERSON_MODELS)), direction * np.pi / 2),
                    float(rng.random()),
                    float(rng.uniform(3.0, 6.5)),
                    direction,
                    bool(rng.random() < 0.7),
                )
            )
        return out

    def _crossing(self, ego: float, z0: float, z1: float) -> list[Mesh]:
        """Return people who cross before the camera comes, or wait at the kerb meanwhile."""
        street, out = self._street, []
        # They cross by the time left until the camera arrives, so that they are off the road by
        # then.
        left = (z0 - ego) / self._camera.speed
        width = street.half(-1) + street.half(1) + 1.4
        for person, place, early, direction, walks in self._crossers(z0):
            z = z0 + 0.3 + place * (z1 - z0 - 0.6)
            begin = -(street.half(-1) + 0.7) if direction > 0 else street.half(1) + 0.7
            gone = (early + width / 1.4 - left) * 1.4 if walks else 0.0
            walked = float(np.clip(gone, 0, width))
            out.append(
                person.at(
                    street.centre(z) + begin + direction * walked,
                    street.ground(z),
                    z,
                    float(np.arctan(street.slope(z))),
                    walked,
                    0 < gone < width,
                )
            )
        return out
