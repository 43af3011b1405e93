# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The standing part of a drive, block by block: meshes and shadows, made when first seen."""

from dataclasses import dataclass

import numpy as np

from .buildings import add_building
from .car_models import footprint
from .cars import car_mesh
from .layout import lay_out
from .light import Light, shadow_outline
from .mesh import Mesh, MeshBuilder, join
from .poles import add_pole
from .street import Street
from .trees import tree_mesh, tree_size
from .world import Block, Tree


@dataclass(frozen=True)
class Built:
    """A block, built.

    large: mesh of its buildings and trees; small: mesh of its poles and standing cars; shadows:
    outlines [k, 2] (x, z) of shadows on the ground; contacts: the same of the dark under cars.
    """

    block: Block
    large: Mesh
    small: Mesh
    shadows: list[np.ndarray]
    contacts: list[np.ndarray]


def build(seed: int, street: Street, light: Light, index: int) -> Built:
    """Build block `index` of a drive."""
    block = lay_out(seed, street, index)
    large, small = MeshBuilder(), MeshBuilder()
    casters = []
    for item in block.buildings:
        add_building(large, item, street)
        near, far = street.centre(item.z0) + item.x0, street.centre(item.z1) + item.x0
        top = item.storey * (item.storeys + 0.1) + 0.4 * item.roof
        base = [
            (near, item.z0),
            (far, item.z1),
            (far + item.side * item.depth, item.z1),
            (near + item.side * item.depth, item.z0),
        ]
        casters.append([(x, y, z) for x, z in base for y in (0, top)])
    trees = []
    for item in block.trees:
        x = street.centre(item.z) + item.x
        trees.append(
            tree_mesh(item.model, item.backyard).moved(x, street.ground(item.z), item.z, 0)
        )
        if not item.backyard:
            casters += _tree_casters(x, item)
    for item in block.poles:
        add_pole(small, item, street)
        x, r = street.centre(item.z) + item.x, item.radius
        casters.append(
            [
                (x - r, 0, item.z),
                (x + r, 0, item.z),
                (x - r, item.height, item.z),
                (x + r, item.height, item.z),
            ]
        )
    meshes, contacts = [small.build()], []
    for item in block.cars:
        x = street.centre(item.z) + item.x
        heading = float(np.arctan(street.slope(item.z)) + (0 if item.forward else np.pi))
        meshes.append(car_mesh(item.model).moved(x, street.ground(item.z), item.z, heading))
        casters.append(car_caster(item.model, x, item.z, heading))
        contacts.append(car_contact(item.model, x, item.z, heading))
    return Built(
        block,
        join([large.build(), *trees]),
        join(meshes),
        [shadow_outline(light, np.array(points)) for points in casters],
        contacts,
    )


def _tree_casters(x: float, tree: Tree) -> list[list[tuple[float, float, float]]]:
    height, radius = tree_size(tree.model, tree.backyard)
    turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    middle = height - 0.95 * radius
    out = []
    for scale, rise in ((0.95, -0.1), (0.7, 0.45), (0.75, -0.55)):
        out.append(
            [
                (
                    x + scale * radius * np.cos(a),
                    middle + rise * radius,
                    tree.z + scale * radius * np.sin(a),
                )
                for a in turn
            ]
        )
    r = 0.02 * height
    out.append(
        [(x - r, 0, tree.z), (x + r, 0, tree.z), (x - r, middle, tree.z), (x + r, middle, tree.z)]
    )
    return out


def _corners(model: int, x: float, z: float, heading: float, grow: float) -> np.ndarray:
    length, width, _ = footprint(model)
    along, across = (
        np.array([np.sin(heading), np.cos(heading)]),
        np.array([np.cos(heading), -np.sin(heading)]),
    )
    half_length, half_width = length / 2 * grow, width / 2 * grow
    return np.array(
        [
            (x, z) + sa * half_length * along + sb * half_width * across
            for sa, sb in ((1, 1), (1, -1), (-1, -1), (-1, 1))
        ]
    )


def car_caster(model: int, x: float, z: float, heading: float) -> list[tuple[float, float, float]]:
    """Return the points that cast a car's shadow."""
    height = footprint(model)[2]
    return (
        [(px, 0.6 * height, pz) for px, pz in _corners(model, x, z, heading, 0.97)]
        + [(px, 0.15, pz) for px, pz in _corners(model, x, z, heading, 0.97)]
        + [(px, 0.95 * height, pz) for px, pz in _corners(model, x, z, heading, 0.62)]
    )


def car_contact(model: int, x: float, z: float, heading: float) -> np.ndarray:
    """Return the outline [4, 2] of the dark ground under a car."""
    return _corners(model, x, z, heading, 1.0)
