# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cars: a side profile drawn out across the width, with windows, wheels, lights and plates."""

from functools import lru_cache

import numpy as np

from .car_models import MODELS, PAINTS, PROFILES, WAISTS, kind_of
from .classes import CAR
from .mesh import Mesh, MeshBuilder

GLASS = (0.10, 0.12, 0.15)


@lru_cache(maxsize=MODELS)
def car_mesh(model: int) -> Mesh:
    """Return the car of a model: centred on its middle, wheels on y = 0, front towards +z."""
    rng = np.random.Generator(np.random.PCG64(model))
    kind = kind_of(model)
    length, width, profile = PROFILES[kind]
    paint = np.clip(np.array(PAINTS[rng.integers(len(PAINTS))]) * rng.uniform(0.85, 1.1), 0, 1)
    mesh = MeshBuilder()
    mesh.begin(0, 0)
    waist = WAISTS[kind]
    roof = max(point[1] for point in profile)
    half = width / 2

    def wide(y: float) -> float:
        if y <= waist or kind == 'truck':
            return half * (0.94 if y < 0.45 else 1.0)
        return half * (1 - (0.1 if kind == 'van' else 0.2) * (y - waist) / (roof - waist))

    _underside(mesh, length, half)
    materials = (paint, np.array(GLASS), np.array([0.07, 0.07, 0.075]))
    for (za, ya, made), (zb, yb, _) in zip(profile[:-1], profile[1:], strict=True):
        wa, wb = wide(ya), wide(yb)
        normal = np.array([0, za - zb, yb - ya]) / np.hypot(za - zb, yb - ya)
        quad = np.array([(-wa, ya, za), (wa, ya, za), (wb, yb, zb), (-wb, yb, zb)])
        if made == 1:  # the frame around the glass
            mesh.polygon(quad, CAR, paint, normal=normal, culled=True)
            quad = quad.mean(0) + (quad - quad.mean(0)) * (0.9, 0.9, 0.9)
        mesh.polygon(
            quad,
            CAR,
            materials[made],
            second=materials[made] * 0.8,
            texture='plaster',
            texel=(0.02, 0.02),
            normal=normal,
            culled=True,
        )
    for side in (-1, 1):
        _flank(mesh, profile, side, wide, waist, paint, kind)
        _wheels(
            mesh, length, half, side, 0.42 if kind == 'truck' else 0.32 if kind != 'suv' else 0.37
        )
    _ends(mesh, profile, length, wide, rng)
    return mesh.build()


def _underside(mesh: MeshBuilder, length: float, half: float) -> None:
    """Add the tyres as seen from the front and from behind, under the bumpers."""
    for z, look in ((length * 0.33, 1), (-length * 0.33, -1)):
        for x in (-half + 0.13, half - 0.13):
            mesh.polygon(
                [(x - 0.12, 0, z), (x + 0.12, 0, z), (x + 0.12, 0.5, z), (x - 0.12, 0.5, z)],
                CAR,
                (0.05, 0.05, 0.05),
                normal=(0, 0, look),
                culled=True,
            )


def _flank(
    mesh: MeshBuilder, profile: list, side: int, wide, waist: float, paint: np.ndarray, kind: str
) -> None:
    """Add one side: body, greenhouse and its windows."""

    def face(outline: list, normal: tuple) -> None:
        points = [(side * wide(y), y, z) for z, y in outline]
        mesh.polygon(
            points,
            CAR,
            paint,
            second=paint * 0.85,
            texture='plaster',
            texel=(0.03, 0.03),
            normal=normal,
            culled=True,
            convex=False,
        )

    outline = [(z, y) for z, y, _ in profile]
    if kind == 'truck':
        face(outline, (side, 0, 0))
        windows = [[(2.3, 1.4), (3.15, 1.4), (3.0, 2.0), (2.3, 2.0)]]
    else:
        cabin = _part(outline, waist, True)
        face(_part(outline, waist, False), (side, 0, 0))
        face(cabin, (0.97 * side, 0.24, 0))
        # The cabin's outline runs from the foot of the windscreen over the roof to the foot of the
        # rear window.
        (z_front, bottom), (z_rear, _) = cabin[0], cabin[-1]
        (roof_front, top), (roof_rear, _) = cabin[1], cabin[-2]
        bottom, top = bottom + 0.03, top - 0.1
        share = (top - bottom) / (cabin[1][1] - bottom)
        up_front, up_rear = (
            z_front + (roof_front - z_front) * share - 0.1,
            z_rear + (roof_rear - z_rear) * share + 0.15,
        )
        z_front, z_rear = z_front - 0.14, z_rear + 0.18
        if kind == 'van':
            windows = [[(0.7, bottom), (z_front, bottom), (up_front, top), (0.7, top)]]
        else:
            middle = (z_front + z_rear) / 2 - 0.1
            windows = [
                [
                    (middle + 0.05, bottom),
                    (z_front, bottom),
                    (up_front, top),
                    (min(middle + 0.05, up_front), top),
                ],
                [(z_rear, bottom), (middle - 0.05, bottom), (middle - 0.05, top), (up_rear, top)],
            ]
    for window in windows:
        mesh.polygon(
            [(side * (wide(y) + 0.005), y, z) for z, y in window],
            CAR,
            GLASS,
            normal=(0.9 * side, 0.43, 0),
            culled=True,
        )


def _part(outline: list, height: float, above: bool) -> list:
    """Return the part of an outline of (z, y) points above or below a height.

    The outline begins and ends below it.
    """
    out = []
    for (za, ya), (zb, yb) in zip(outline[:-1], outline[1:], strict=True):
        if (ya > height) == above:
            out.append((za, ya))
        if (ya > height) != (yb > height):
            share = (height - ya) / (yb - ya)
            out.append((za + share * (zb - za), height))
    return out if above else [*out, outline[-1]]


def _wheels(mesh: MeshBuilder, length: float, half: float, side: int, radius: float) -> None:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    x = side * (half + 0.005)
    for z in (length * 0.31, -length * 0.3):
        for scale, color in ((1.25, 0.035), (1.0, 0.07), (0.6, 0.45), (0.2, 0.2)):
            ring = [
                (x, max(radius + scale * radius * np.sin(a), 0.0), z + scale * radius * np.cos(a))
                for a in angles
            ]
            if scale > 1:  # the wheel arch ends at the sill
                ring = [(x, max(y, 0.3), z_) for _, y, z_ in ring]
            mesh.polygon(ring, CAR, (color,) * 3, normal=(side, 0, 0), culled=True)


def _ends(mesh: MeshBuilder, profile: list, length: float, wide, rng: np.random.Generator) -> None:
    """Add lights, grille and plates at both ends."""
    bumper = profile[1][1]
    plate = rng.choice([(0.9, 0.9, 0.85), (0.85, 0.75, 0.2)])
    for look, z, lamp in (
        (1, length / 2 + 0.01, (1.0, 0.98, 0.9)),
        (-1, -length / 2 - 0.01, (0.6, 0.04, 0.04)),
    ):
        low, high = bumper + 0.04, bumper + 0.2
        for x in (-1, 1):
            inner, outer = x * wide(low) * 0.62, x * wide(low) * 0.97
            mesh.polygon(
                [(inner, low, z), (outer, low, z), (outer, high, z), (inner, high, z)],
                CAR,
                lamp,
                normal=(0, 0.3, look),
                culled=True,
            )
        mesh.polygon(
            [
                (-0.26, low - 0.1, z),
                (0.26, low - 0.1, z),
                (0.26, low + 0.02, z),
                (-0.26, low + 0.02, z),
            ],
            CAR,
            plate,
            normal=(0, 0, look),
            culled=True,
        )
        if look > 0:
            mesh.polygon(
                [(-0.5, low + 0.05, z), (0.5, low + 0.05, z), (0.45, high, z), (-0.45, high, z)],
                CAR,
                (0.06, 0.06, 0.065),
                normal=(0, 0, 1),
                culled=True,
            )
