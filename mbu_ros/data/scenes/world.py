# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What stands along the street, as pure data in metres, block by block.

Lateral positions are measured from the road's centre line, positive to the right.
"""

from dataclasses import dataclass, field

BLOCK = 36.0
"""Metres of street in a block."""


@dataclass(frozen=True)
class Building:
    """A box along the street from z0 to z1, face at lateral x0 (signed), with its looks."""

    z0: float
    z1: float
    side: int
    x0: float
    depth: float
    storeys: int
    storey: float
    bay: float
    wall: tuple[float, float, float]
    glass: tuple[float, float, float]
    facade: str
    ground_floor: str
    roof: float  # height of a pitched roof, 0 if flat
    roof_color: tuple[float, float, float]
    awning: bool
    seed: int


@dataclass(frozen=True)
class Tree:
    """A tree, of one of the models of trees.py.

    backyard: it stands behind the buildings.
    """

    x: float
    z: float
    model: int
    backyard: bool


@dataclass(frozen=True)
class ParkedCar:
    """A standing car, of one of the models of cars.py."""

    x: float
    z: float
    forward: bool
    model: int


@dataclass(frozen=True)
class Pole:
    """A street lamp, a sign on a post or a wooden pole.

    kind: 'lamp', 'sign' or 'wire'; toward: sign of the lateral direction in which the road lies.
    """

    x: float
    z: float
    kind: str
    height: float
    radius: float
    toward: int
    seed: int


@dataclass(frozen=True)
class Block:
    """What stands in one block; intervals are (z0, z1) for each side or for the whole road."""

    side_streets: tuple[list, list] = field(default_factory=lambda: ([], []))
    driveways: tuple[list, list] = field(default_factory=lambda: ([], []))
    crossings: list = field(default_factory=list)
    buildings: list = field(default_factory=list)
    trees: list = field(default_factory=list)
    cars: list = field(default_factory=list)
    poles: list = field(default_factory=list)
