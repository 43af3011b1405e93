# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Flat polygons in metres: what every object of the street is made of.

Axes: x right, y up, z forward along the street. A vertex may be spread along the camera's right
axis, which makes polygons that always face the camera (leaves, trunks, limbs) without rebuilding
them for each frame.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from .textures import INDEX


@dataclass(frozen=True)
class Mesh:
    """Polygons of one or many objects.

    vertices float64 [V, 4] (x, y, z, spread); sizes int32 [F] vertices per face; owner int32 [F]
    object index; label uint8 [F]; texture int32 [F]; colors float32 [F, 6] (first and second
    colour); axes float64 [F, 10] (texture origin, one texel along u, one texel along v, and spread
    of a texel along u); normal float32 [F, 3]; convex, culled bool [F] (culled: seen from one side
    only); anchors float64 [O, 3] (x, z, extra distance: how the painter orders objects).
    """

    vertices: np.ndarray
    sizes: np.ndarray
    owner: np.ndarray
    label: np.ndarray
    texture: np.ndarray
    colors: np.ndarray
    axes: np.ndarray
    normal: np.ndarray
    convex: np.ndarray
    culled: np.ndarray
    anchors: np.ndarray

    def moved(self, x: float, y: float, z: float, heading: float) -> 'Mesh':
        """Return the mesh turned about y by heading (radians, from z to x), then shifted."""
        sine, cosine = np.sin(heading), np.cos(heading)
        turn = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
        shift = np.array([x, y, z])
        vertices, axes = self.vertices.copy(), self.axes.copy()
        vertices[:, :3] = vertices[:, :3] @ turn + shift
        axes[:, :3] = axes[:, :3] @ turn + shift
        axes[:, 3:6] = axes[:, 3:6] @ turn
        axes[:, 6:9] = axes[:, 6:9] @ turn
        normal = (self.normal @ turn).astype(np.float32)
        anchors = self.anchors.copy()
        anchors[:, :2] += (x, z)
        return Mesh(
            vertices,
            self.sizes,
            self.owner,
            self.label,
            self.texture,
            self.colors,
            axes,
            normal,
            self.convex,
            self.culled,
            anchors,
        )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Return one mesh of many (at least one)."""
    parts = {
        field.name: np.concatenate([getattr(mesh, field.name) for mesh in meshes])
        for field in fields(Mesh)
        if field.name != 'owner'
    }
    shift = np.cumsum([0] + [len(mesh.anchors) for mesh in meshes[:-1]])
    parts['owner'] = np.concatenate(
        [mesh.owner + at for mesh, at in zip(meshes, shift, strict=True)]
    )
    return Mesh(**parts)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / math.sqrt(vector @ vector)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # For single vectors this is ten times as fast as np.cross.
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


class MeshBuilder:
    """Collects polygons, object by object, and makes a Mesh of them."""

    def __init__(self) -> None:
        """Start with no objects."""
        self._anchors: list[tuple[float, float, float]] = []
        self._vertices: list[np.ndarray] = []
        self._faces: list[tuple] = []

    def begin(self, x: float, z: float, behind: float = 0.0) -> None:
        """Start an object, which the painter orders by its distance to (x, z) plus `behind`."""
        self._anchors.append((x, z, behind))

    def polygon(
        self,
        points: Sequence,
        label: int,
        color: Sequence[float],
        *,
        spread: Sequence[float] | None = None,
        second: Sequence[float] | None = None,
        texture: str = 'flat',
        texel: tuple[float, float] = (0.01, 0.01),
        offset: tuple[float, float] = (0.0, 0.0),
        normal: Sequence[float] | None = None,
        convex: bool = True,
        culled: bool = False,
    ) -> None:
        """Add a face; faces of one object are painted in the order they are added.

        points: [k, 3]; with spread [k] the face turns to the camera. texel: metres per texel along
        u (from the first to the second point, or to the right) and v; offset: texel coordinates of
        the first point. normal: where the face looks, for light; by default computed from the
        points (u x v).
        """
        points = np.asarray(points, np.float64)
        vertices = np.zeros((len(points), 4))
        vertices[:, :3] = points
        if spread is not None:
            vertices[:, 3] = spread
            along, spread_u = np.zeros(3), texel[0]
            up = np.array([0.0, 1.0, 0.0])
            face = np.array([0.0, 0.25, -0.8] if normal is None else normal)
        else:
            along, spread_u = _unit(points[1] - points[0]), 0.0
            far = points[-1] - points[0]
            up = _unit(far - along * (far @ along))
            face = _cross(up, along) if normal is None else np.asarray(normal, np.float64)
        face = _unit(face)
        along, up = along * texel[0], up * texel[1]
        start = points[0] - along * offset[0] - up * offset[1]
        axes = np.concatenate([start, along, up, [spread_u]])
        both = np.concatenate([color, color if second is None else second])
        self._vertices.append(vertices)
        self._faces.append(
            (
                len(points),
                len(self._anchors) - 1,
                label,
                INDEX[texture],
                both,
                axes,
                face,
                convex,
                culled,
            )
        )

    def build(self) -> Mesh:
        """Return the mesh of all polygons so far."""
        sizes, owner, label, texture, colors, axes, normal, convex, culled = (
            zip(*self._faces, strict=True) if self._faces else ((),) * 9
        )
        count = len(sizes)
        return Mesh(
            vertices=np.concatenate(self._vertices) if self._vertices else np.zeros((0, 4)),
            sizes=np.array(sizes, np.int32),
            owner=np.array(owner, np.int32),
            label=np.array(label, np.uint8),
            texture=np.array(texture, np.int32),
            colors=np.array(colors, np.float32).reshape(count, 6),
            axes=np.array(axes, np.float64).reshape(count, 10),
            normal=np.array(normal, np.float32).reshape(count, 3),
            convex=np.array(convex, bool),
            culled=np.array(culled, bool),
            anchors=np.array(self._anchors, np.float64).reshape(-1, 3),
        )
