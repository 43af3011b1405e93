# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Buildings: floors with windows, flat or pitched roofs, awnings and chimneys."""

import numpy as np

from .classes import BUILDING
from .mesh import MeshBuilder
from .street import Street
from .textures import CELLS, SIZE
from .world import Building


def add_building(mesh: MeshBuilder, building: Building, street: Street) -> None:
    """Add the faces that can be seen from the road."""
    rng = np.random.Generator(np.random.PCG64(building.seed))
    b, side = building, building.side
    near, far = street.centre(b.z0) + b.x0, street.centre(b.z1) + b.x0
    low0, low1 = street.ground(b.z0), street.ground(b.z1)
    low = max(low0, low1)
    first = low + b.storey * 1.1
    top = low + b.storey * (b.storeys + 0.1)
    out = side * b.depth
    mesh.begin(far, b.z1)

    def wall(corners: tuple, bottom: tuple, upper: float, ground_floor: bool) -> None:
        (xa, za), (xb, zb) = corners
        length = np.hypot(xb - xa, zb - za)
        bays = max(1, round(length / b.bay))
        u = length / bays * CELLS / SIZE
        points = [(xa, bottom[0], za), (xb, bottom[1], zb), (xb, upper, zb), (xa, upper, za)]
        if ground_floor:
            texture, texel = b.ground_floor, (u, (upper - low) / SIZE)
        else:
            texture, texel = b.facade, (u, b.storey * CELLS / SIZE)
        # Which of the painted windows begin the row differs from house to house.
        mesh.polygon(
            points,
            BUILDING,
            b.wall,
            second=b.glass,
            texture=texture,
            texel=texel,
            offset=(SIZE / CELLS * (b.seed % CELLS), 0),
        )

    # Left to right as seen from outside, which makes the normals point outwards.
    front_face, street_face = ((near, b.z0), (near + out, b.z0)), ((far, b.z1), (near, b.z0))
    street_low = (low1, low0)
    if side < 0:
        front_face, street_face, street_low = front_face[::-1], street_face[::-1], (low0, low1)
    for corners, bottom in ((front_face, (low0, low0)), (street_face, street_low)):
        wall(corners, bottom, first, True)
        if b.storeys > 1:
            wall(corners, (first, first), top, False)
    if b.roof:
        _pitched_roof(mesh, b, near, far, out, top, rng)
    else:
        _parapet(mesh, b, near, far, out, top)
    if b.awning:
        _awning(mesh, b, near, far, low, rng)


def _pitched_roof(
    mesh: MeshBuilder,
    b: Building,
    near: float,
    far: float,
    out: float,
    top: float,
    rng: np.random.Generator,
) -> None:
    ridge = top + b.roof
    eaves = 0.35 * b.side
    mesh.polygon(
        [(near, top, b.z0), (near + out, top, b.z0), (near + out / 2, ridge, b.z0)],
        BUILDING,
        b.wall,
        texture='plaster',
        normal=(0, 0, -1),
    )
    if rng.random() < 0.6:
        z = b.z0 + (b.z1 - b.z0) * rng.uniform(0.3, 0.7)
        x = (near + far) / 2 + out * 0.5
        base, tip, h = ridge - 0.6, ridge + rng.uniform(0.5, 1.0), 0.35
        s = -b.side
        mesh.polygon(
            [(x - h, base, z), (x + h, base, z), (x + h, tip, z), (x - h, tip, z)],
            BUILDING,
            (0.45, 0.3, 0.25),
            texture='brick',
            normal=(0, 0, -1),
        )
        mesh.polygon(
            [
                (x + s * h, base, z),
                (x + s * h, base, z + 0.6),
                (x + s * h, tip, z + 0.6),
                (x + s * h, tip, z),
            ],
            BUILDING,
            (0.45, 0.3, 0.25),
            texture='brick',
            normal=(s, 0, 0),
        )
    slope = np.array([-b.side * b.roof, b.depth / 2, 0.0])
    mesh.polygon(
        [
            (near - eaves, top - 0.25, b.z0 - 0.25),
            (far - eaves, top - 0.25, b.z1),
            (far + out / 2, ridge, b.z1),
            (near + out / 2, ridge, b.z0 - 0.25),
        ],
        BUILDING,
        b.roof_color,
        texture='roof',
        texel=(0.018, 0.018),
        normal=slope / np.linalg.norm(slope),
    )


def _parapet(
    mesh: MeshBuilder, b: Building, near: float, far: float, out: float, top: float
) -> None:
    color = tuple(0.8 * np.array(b.wall))
    # It stands out from the wall and hangs over its top, or sky would show between them from below.
    lip, low, high, z0 = -0.15 * b.side, top - 0.25, top + 0.45, b.z0 - 0.1
    for (xa, za), (xb, zb), normal in (
        ((near + lip, z0), (near + out, z0), (0, 0, -1)),
        ((near + lip, z0), (far + lip, b.z1), (-b.side, 0, 0)),
    ):
        corners = [(xa, low, za), (xb, low, zb), (xb, high, zb), (xa, high, za)]
        mesh.polygon(corners, BUILDING, color, texture='concrete', normal=normal)


def _awning(
    mesh: MeshBuilder, b: Building, near: float, far: float, low: float, rng: np.random.Generator
) -> None:
    color = rng.uniform(0.15, 0.75, 3)
    high, lower, reach = low + 2.75, low + 2.3, -b.side * rng.uniform(0.5, 0.9)
    begin, end = np.sort(rng.uniform(0.05, 0.95, 2))
    if end - begin < 0.25:
        return
    za, zb = b.z0 + (b.z1 - b.z0) * begin, b.z0 + (b.z1 - b.z0) * end
    xa, xb = near + (far - near) * begin, near + (far - near) * end
    mesh.polygon(
        [(xa, high, za), (xb, high, zb), (xb + reach, lower, zb), (xa + reach, lower, za)],
        BUILDING,
        color,
        texture='cloth',
        normal=(-b.side * 0.4, 0.9, 0),
    )
    mesh.polygon(
        [(xa, high, za), (xa + reach, lower, za), (xa, lower, za)],
        BUILDING,
        0.7 * color,
        normal=(0, 0, -1),
    )
