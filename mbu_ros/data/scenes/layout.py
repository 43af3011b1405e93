# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lays a block of the street out.

A block is laid out from (seed, block index) alone, so that a drive may be of any length.
"""

import numpy as np

from . import car_models, randomness, trees
from .randomness import stream
from .street import KERB, Street
from .world import BLOCK, Block, Building, ParkedCar, Pole, Tree

WALLS = (
    (0.72, 0.66, 0.56),
    (0.80, 0.77, 0.70),
    (0.55, 0.33, 0.26),
    (0.62, 0.42, 0.33),
    (0.60, 0.60, 0.60),
    (0.75, 0.60, 0.45),
    (0.48, 0.50, 0.53),
    (0.66, 0.68, 0.62),
    (0.78, 0.70, 0.58),
    (0.45, 0.36, 0.32),
    (0.62, 0.68, 0.72),
    (0.76, 0.62, 0.58),
)
ROOFS = ((0.42, 0.22, 0.17), (0.30, 0.30, 0.32), (0.48, 0.30, 0.22), (0.36, 0.33, 0.30))
FACADES = (
    ('windows_plaster', 'ground_plaster'),
    ('windows_brick', 'ground_brick'),
    ('windows_strip', 'shop'),
    ('windows_tall', 'shop'),
    ('windows_small', 'ground_brick'),
    ('windows_plaster', 'shop'),
)


def _vary(rng: np.random.Generator, color: tuple, spread: float) -> tuple:
    return tuple(
        np.clip(
            np.array(color) * rng.uniform(1 - spread, 1 + spread) + rng.normal(0, spread / 6, 3),
            0.02,
            1,
        )
    )


def lay_out(seed: int, street: Street, index: int) -> Block:
    """Lay block `index` out, from index * BLOCK on."""
    block, start = Block(), index * BLOCK
    rng = stream(seed, randomness.SIDE_STREETS, index)
    for side in range(2):
        if rng.random() < 0.22:
            z0 = start + rng.uniform(9, 20)
            block.side_streets[side].append((z0, z0 + rng.uniform(5.5, 8)))
    rng = stream(seed, randomness.CROSSINGS, index)
    if rng.random() < 0.3:
        z0 = start + rng.uniform(2, 4)
        block.crossings.append((z0, z0 + rng.uniform(2.5, 3.5)))
    _add_buildings(stream(seed, randomness.BUILDINGS, index), street, block, start)
    _add_driveways(stream(seed, randomness.DRIVEWAYS, index), block, start)
    _add_trees(stream(seed, randomness.TREES, index), street, block, start)
    _add_cars(stream(seed, randomness.PARKED, index), street, block, start)
    _add_poles(stream(seed, randomness.POLES, index), street, block, start)
    return block


def _add_buildings(rng: np.random.Generator, street: Street, block: Block, start: float) -> None:
    for index, side in enumerate((-1, 1)):
        cuts = block.side_streets[index]
        free = [(start, start + BLOCK)]
        if cuts:
            free = [(start, cuts[0][0] - 2.5), (cuts[0][1] + 2.5, start + BLOCK)]
        for begin, end in free:
            z = begin
            while end - z > 5:
                width = min(rng.uniform(8, 18), end - z)
                if end - z - width < 6:
                    width = end - z
                gap = 0.0 if rng.random() < street.town else rng.uniform(2, 7)
                if rng.random() < 0.06 + 0.1 * (1 - street.town):  # an empty lot
                    z += width
                    continue
                block.buildings.append(
                    _draw_building(rng, street, side, z, z + max(width - gap, 4.5))
                )
                z += width


def _draw_building(
    rng: np.random.Generator, street: Street, side: int, z0: float, z1: float
) -> Building:
    storeys = int(rng.integers(2, 7)) if rng.random() < street.town else int(rng.integers(1, 4))
    facade, ground_floor = FACADES[rng.integers(len(FACADES))]
    if street.town < 0.4 and ground_floor == 'shop' and rng.random() < 0.8:
        ground_floor = 'ground_plaster'
    pitched = storeys <= 3 and rng.random() < 0.85 - 0.5 * street.town
    extra = rng.choice([0.0, rng.uniform(0, 1.5)]) if street.town > 0.4 else rng.uniform(0, 3)
    return Building(
        z0=float(z0),
        z1=float(z1),
        side=side,
        x0=float(side * (street.line(side) + extra)),
        depth=float(rng.uniform(8, 13)),
        storeys=storeys,
        storey=float(rng.uniform(2.8, 3.5)),
        bay=float(rng.uniform(2.4, 3.8)),
        wall=_vary(rng, WALLS[rng.integers(len(WALLS))], 0.12),
        glass=_vary(rng, (0.21, 0.25, 0.29), 0.12),
        facade=facade,
        ground_floor=ground_floor,
        roof=float(rng.uniform(1.8, 3.8)) if pitched else 0.0,
        roof_color=_vary(rng, ROOFS[rng.integers(len(ROOFS))], 0.15),
        awning=bool(ground_floor == 'shop' and rng.random() < 0.5),
        seed=int(rng.integers(1 << 31)),
    )


def _add_driveways(rng: np.random.Generator, block: Block, start: float) -> None:
    for side in range(2):
        if rng.random() < 0.5:
            z0 = start + rng.uniform(0, BLOCK - 4)
            block.driveways[side].append((z0, z0 + rng.uniform(2.5, 3.5)))


def _blocked(block: Block, side: int, z: float, margin: float) -> bool:
    spans = block.side_streets[side > 0] + block.crossings
    return any(z0 - margin < z < z1 + margin for z0, z1 in spans)


def _add_trees(rng: np.random.Generator, street: Street, block: Block, start: float) -> None:
    for side in (-1, 1):
        z = start + rng.uniform(0, street.tree_spacing)
        while z < start + BLOCK:
            x = side * (
                street.half(side) + KERB + min(0.5 * street.strip, 1.0) + rng.uniform(0, 0.3)
            )
            tree = Tree(x, z, int(rng.integers(trees.MODELS)), False)
            if not _blocked(block, side, z, 2.0) and rng.random() < 0.8:
                block.trees.append(tree)
            z += street.tree_spacing * rng.uniform(0.7, 1.3)
        for _ in range(int(rng.integers(3, 7))):  # seen through the gaps between buildings
            z = start + rng.uniform(0, BLOCK)
            x = side * (street.line(side) + rng.uniform(15, 26))
            tree = Tree(x, z, int(rng.integers(trees.MODELS)), True)
            if not any(z0 - 4 < z < z1 + 4 for z0, z1 in block.side_streets[side > 0]):
                block.trees.append(tree)


def _add_cars(rng: np.random.Generator, street: Street, block: Block, start: float) -> None:
    full = rng.uniform(0.2, 0.7)
    for side in (-1, 1):
        if not street.parking[side > 0]:
            continue
        for slot in range(6):
            z = start + (slot + 0.5) * BLOCK / 6 + rng.uniform(-0.3, 0.3)
            x = side * (street.lane + street.parking[side > 0] / 2 + rng.uniform(-0.05, 0.12))
            car = ParkedCar(
                x,
                z,
                bool(side == street.side) ^ bool(rng.random() < 0.1),
                int(rng.integers(car_models.MODELS)),
            )
            if rng.random() < full and not _blocked(block, side, z, 3.5):
                block.cars.append(car)


def _add_poles(rng: np.random.Generator, street: Street, block: Block, start: float) -> None:
    for side in (-1, 1):
        z = start + rng.uniform(0, street.pole_spacing)
        while z < start + BLOCK:
            kind = str(rng.choice(['lamp', 'lamp', 'sign', 'sign', 'wire']))
            height = {
                'lamp': rng.uniform(5.5, 8),
                'sign': rng.uniform(2.6, 3.4),
                'wire': rng.uniform(6.5, 8.5),
            }[kind]
            radius = {
                'lamp': rng.uniform(0.09, 0.13),
                'sign': rng.uniform(0.045, 0.065),
                'wire': rng.uniform(0.11, 0.15),
            }[kind]
            x = side * (street.half(side) + KERB + rng.uniform(0.25, 0.5))
            pole = Pole(x, z, kind, height, radius, -side, int(rng.integers(1 << 31)))
            near_tree = any(
                abs(tree.z - z) < 0.8 and tree.x * side > 0
                for tree in block.trees
                if not tree.backyard
            )
            if not _blocked(block, side, z, 0.3) and not near_tree:
                block.poles.append(pole)
            z += street.pole_spacing * rng.uniform(0.7, 1.3)
