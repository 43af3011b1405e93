# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draws meshes: which face is seen at each pixel, and what colour it has there.

Faces are painted far to near into an image of face numbers; colour and label are both read from
that one image, so a label is exact. Colour is worked out once per pixel, however many faces lie
behind.
"""

import cv2
import numpy as np

from .camera import NEAR, Pose
from .ground import FAR, Profile
from .light import Light
from .mesh import Mesh
from .textures import sample

_SHIFT = 4  # fraction bits of polygon corners
_LIMIT = float(1 << 22)


def clip_near(points: np.ndarray) -> np.ndarray:
    """Cut a polygon in camera axes [k, 3] off at the near plane."""
    inside = points[:, 2] >= NEAR
    out = []
    for index, point in enumerate(points):
        before = points[index - 1]
        if inside[index] != inside[index - 1]:
            share = (NEAR - before[2]) / (point[2] - before[2])
            out.append(before + share * (point - before))
        if inside[index]:
            out.append(point)
    return np.array(out).reshape(-1, 3)


def to_fixed(pixels: np.ndarray) -> np.ndarray:
    """Return pixel coordinates as the fixed-point integers OpenCV draws with."""
    return np.clip(np.round(pixels * (1 << _SHIFT)), -_LIMIT, _LIMIT).astype(np.int32)


def _in_view(pose: Pose, points: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return bool [F]: whether each polygon may reach into the image.

    points: corners in camera axes [n, 3]; starts [F]: where each polygon's corners begin.
    """
    x, y, z = points.T
    wide, high = pose.width / 2 / pose.focal * z, pose.height / 2 / pose.focal * z
    # Outside if all corners are beyond one and the same side of the view.
    sides = np.stack([wide - x, wide + x, high - y, high + y, z - NEAR], 1)
    return (np.maximum.reduceat(sides, starts) > 0).all(1)


def fill_ground(
    mask: np.ndarray, pose: Pose, outlines: list[np.ndarray], heights, value: int
) -> None:
    """Fill polygons that lie on the ground into a mask, uint8 [H, W].

    outlines: [k, 2] (x, z) each; heights(z): the ground's height; value: what to fill with.
    """
    if not outlines:
        return
    sizes = np.array([len(outline) for outline in outlines])
    flat = np.concatenate(outlines)
    points = pose.to_camera(np.column_stack([flat[:, 0], heights(flat[:, 1]), flat[:, 1]]))
    starts = np.cumsum(sizes) - sizes
    nearest = np.minimum.reduceat(points[:, 2], starts)
    fixed = to_fixed(pose.to_pixels(np.maximum(points, (-np.inf, -np.inf, NEAR))))
    for number in np.flatnonzero(_in_view(pose, points, starts)).tolist():
        part = slice(starts[number], starts[number] + sizes[number])
        if nearest[number] < NEAR:
            corners = to_fixed(pose.to_pixels(clip_near(points[part])))
        else:
            corners = fixed[part]
        cv2.fillConvexPoly(mask, corners, value, cv2.LINE_8, _SHIFT)


def world_vertices(mesh: Mesh, pose: Pose) -> np.ndarray:
    """Return vertices [V, 3] with the spread of camera-facing faces applied."""
    level = _level(pose)
    return mesh.vertices[:, :3] + mesh.vertices[:, 3:] * level


def _level(pose: Pose) -> np.ndarray:
    level = pose.axes[0] * (1, 0, 1)
    return level / np.linalg.norm(level)


def draw_faces(mesh: Mesh, pose: Pose, profile: Profile) -> np.ndarray:
    """Return int32 [H, W]: the face seen at each pixel, plus one; 0 where there is none."""
    seen = np.zeros((pose.height, pose.width), np.int32)
    points = pose.to_camera(world_vertices(mesh, pose))
    starts = np.cumsum(mesh.sizes) - mesh.sizes
    whole = np.minimum.reduceat(points[:, 2], starts) >= NEAR
    pixels = pose.to_pixels(np.maximum(points, (-np.inf, -np.inf, NEAR)))
    extent = (np.maximum.reduceat(pixels, starts) - np.minimum.reduceat(pixels, starts)).max(1)
    drawn = _in_view(pose, points, starts) & ((extent > 1) | ~whole)
    # Faces seen from behind.
    corner = mesh.vertices[starts, :3]
    away = ((corner - pose.position) * mesh.normal).sum(1) > 0
    drawn &= ~(mesh.culled & away)
    distance = np.hypot(*(mesh.anchors[:, :2] - pose.position[[0, 2]]).T) + mesh.anchors[:, 2]
    limits = _crest_rows(mesh, pose, profile)
    order = np.flatnonzero(drawn)
    order = order[np.argsort(-distance[mesh.owner[order]], kind='stable')]
    fixed = to_fixed(pixels)
    ends, convex, owner = (starts + mesh.sizes).tolist(), mesh.convex.tolist(), mesh.owner.tolist()
    begins, whole = starts.tolist(), whole.tolist()
    for face in order.tolist():
        corners = fixed[begins[face] : ends[face]]
        if not whole[face]:
            corners = to_fixed(pose.to_pixels(clip_near(points[begins[face] : ends[face]])))
        canvas = seen if limits is None else seen[: limits[owner[face]]]
        if convex[face]:
            cv2.fillConvexPoly(canvas, corners, face + 1, cv2.LINE_8, _SHIFT)
        else:
            cv2.fillPoly(canvas, [corners], face + 1, cv2.LINE_8, _SHIFT)
    return seen


def _crest_rows(mesh: Mesh, pose: Pose, profile: Profile) -> list[int] | None:
    """Return for each object the row below which a crest of the road hides it.

    None where no crest hides anything.
    """
    ahead = np.clip(mesh.anchors[:, 1] - pose.position[2], 2.0, FAR)
    own = profile.edge(ahead)
    sight = np.column_stack(
        [mesh.anchors[:, 0], pose.position[1] + own * ahead, pose.position[2] + ahead]
    )
    camera = pose.to_camera(sight)
    rows = pose.to_pixels(np.maximum(camera, (-np.inf, -np.inf, NEAR)))[:, 1]
    # Nothing is hidden unless the ground in between rises above the line to the object's foot.
    hidden = profile.hidden(ahead)
    if not hidden.any():
        return None
    return (
        np.where(hidden, np.clip(np.ceil(rows) + 1, 1, pose.height), pose.height)
        .astype(int)
        .tolist()
    )


def _unproject(mesh: Mesh, pose: Pose) -> np.ndarray:
    """Return float32 [F, 9]: three rows of three for each face.

    They turn a pixel (column, row, 1) into (u, v, 1) / depth of the face's texture.
    """
    level = _level(pose)
    axes = mesh.axes
    along = axes[:, 3:6] + axes[:, 9:] * level
    columns = [
        pose.to_camera(along + pose.position),
        pose.to_camera(axes[:, 6:9] + pose.position),
        pose.to_camera(axes[:, :3]),
    ]
    intrinsic = np.array(
        [[pose.focal, 0, (pose.width - 1) / 2], [0, pose.focal, (pose.height - 1) / 2], [0, 0, 1]]
    )
    a, b, c = (column @ intrinsic.T for column in columns)
    rows = np.concatenate([np.cross(b, c), np.cross(c, a), np.cross(a, b)], 1)
    volume = np.einsum('ij,ij->i', rows[:, 6:], c)
    volume = np.where(np.abs(volume) < 1e-9, 1e-9, volume)
    return (rows / volume[:, None]).astype(np.float32)


def shade_faces(
    mesh: Mesh,
    pose: Pose,
    light: Light,
    face: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    jitter: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return colours float32 [n, 3] with light and depths float32 [n] of pixels that show a face.

    face int [n]; columns, rows float32 [n] pixel positions; jitter float32 [n] in texels, to soften
    magnified textures.
    """
    table = np.ascontiguousarray(_unproject(mesh, pose).take(face, 0).T)
    inverse = table[6] * columns + table[7] * rows + table[8]
    depth = 1 / np.maximum(inverse, np.float32(1 / (2 * FAR)))
    u = (table[0] * columns + table[1] * rows + table[2]) * depth
    v = (table[3] * columns + table[4] * rows + table[5]) * depth
    footprint = np.maximum(np.abs(table[0] - u * table[6]), np.abs(table[4] - v * table[7])) * depth
    bright, first = sample(mesh.texture[face], u + jitter, v - jitter, footprint)
    shine = light.on(mesh.normal)
    one, two = mesh.colors[:, :3] * shine, mesh.colors[:, 3:] * shine
    color = two.take(face, 0)
    color += first[:, None] * (one.take(face, 0) - color)
    color *= bright[:, None]
    return color, depth
