# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Puts a frame together: faces, ground and sky, shadows, haze."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from . import randomness
from .backdrop import Backdrop
from .blocks import Built, build, car_caster, car_contact
from .camera import Camera, Pose
from .classes import SKY
from .ground import Ground, Profile
from .light import draw_light, shadow_outline, sky_color
from .mesh import Mesh, join
from .randomness import stream
from .raster import draw_faces, fill_ground, shade_faces
from .sensor import Sensor
from .street import draw_street
from .traffic import Traffic
from .world import BLOCK, Block

_VIEW = 290.0  # metres of street that are drawn; what is farther is haze and backdrop
_PIECE = 1 << 16  # pixels
_HAZE_END = 400.0  # metres beyond which haze grows no more
_VIEW_SMALL = 140.0  # metres up to which cars and poles are drawn


@lru_cache(maxsize=2)
def _pixels(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((height, width), np.float32)
    return columns.ravel(), rows.ravel()


@dataclass(frozen=True)
class _Pixels:
    """Some pixels: face seen plus one, position, and what _ground_light says of them."""

    seen: np.ndarray
    columns: np.ndarray
    rows: np.ndarray
    light: np.ndarray


class Scene:
    """A street with everything on it, of which any instant can be drawn."""

    def __init__(self, seed: int) -> None:
        """Draw what stays the same along the drive."""
        self._seed = seed
        self._street = draw_street(seed)
        self._light = draw_light(seed)
        self._camera = Camera(seed, self._street)
        self._traffic = Traffic(seed, self._street, self._camera)
        self._ground = Ground(self._street, stream(seed, randomness.STREET, 1))
        self._backdrop = Backdrop(stream(seed, randomness.STREET, 2))
        self._sensor = Sensor(seed)
        self._built: dict[int, Built] = {}

    def _blocks(self, z: float) -> list[Built]:
        """Return the blocks in view; those left behind are forgotten."""
        wanted = range(int(z // BLOCK) - 1, int((z + _VIEW) // BLOCK) + 1)
        known = self._built
        self._built = {
            index: known[index]
            if index in known
            else build(self._seed, self._street, self._light, index)
            for index in wanted
        }
        return list(self._built.values())

    def render(
        self, index: int, time: float, height: int, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the image and the label image at a time in seconds; `index` seeds the noise."""
        pose = self._camera.pose(time, height, width)
        built = self._blocks(pose.position[2])
        near = built[: int(_VIEW_SMALL / BLOCK) + 2]
        blocks = [item.block for item in built]
        profile = Profile(self._street, pose)
        mesh = join(
            [self._backdrop.mesh(pose, profile.horizon)]
            + [item.large for item in built]
            + [item.small for item in near]
            + self._traffic.car_meshes(time)
            + self._traffic.people(time, blocks)
        )
        seen = draw_faces(mesh, pose, profile).ravel()
        light = self._ground_light(pose, near, time)
        rng = stream(self._seed, randomness.TEXTURES, index)
        color, label = np.empty((len(seen), 3), np.float32), np.empty(len(seen), np.uint8)
        columns, rows = _pixels(height, width)
        # Piece by piece, so that what one piece needs fits a processor's cache.
        for begin in range(0, len(seen), _PIECE):
            piece = slice(begin, begin + _PIECE)
            pixels = _Pixels(seen[piece], columns[piece], rows[piece], light[piece])
            jitter = rng.random(len(pixels.seen), np.float32) - np.float32(0.5)
            color[piece], label[piece] = self._shade(
                pixels, jitter, mesh, pose, profile, blocks, time
            )
        image = self._sensor.develop(color.reshape(height, width, 3), index, time)
        return image, label.reshape(height, width)

    def _shade(
        self,
        pixels: _Pixels,
        jitter: np.ndarray,
        mesh: Mesh,
        pose: Pose,
        profile: Profile,
        blocks: list[Block],
        time: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return radiance float32 [n, 3] and label uint8 [n] of some pixels."""
        count = len(pixels.seen)
        color = np.zeros((count, 3), np.float32)
        label = np.full(count, SKY, np.uint8)
        depth = np.zeros(count, np.float32)

        solid = np.flatnonzero(pixels.seen)
        face = pixels.seen[solid] - 1
        color[solid], depth[solid] = shade_faces(
            mesh, pose, self._light, face, pixels.columns[solid], pixels.rows[solid], jitter[solid]
        )
        label[solid] = mesh.label[face]

        empty = np.flatnonzero(pixels.seen == 0)
        x, y, z = pose.rays(pixels.columns[empty], pixels.rows[empty])
        slope = y / z
        down = slope < profile.horizon
        ground, sky = empty[down], empty[~down]
        ahead = profile.ahead(slope[down])
        bare, label[ground] = self._ground.shade(pose, blocks, ahead, (x / z)[down], jitter[ground])
        color[ground] = bare * self._on_ground(pixels.light[ground])
        depth[ground] = ahead / z[down]

        fog = 1 - np.exp(-self._light.haze * np.minimum(depth, _HAZE_END))
        color += fog[:, None] * (self._light.horizon.astype(np.float32) - color)
        # The sky's colour is what is left after the haze.
        color[sky] = sky_color(self._light, x[~down], y[~down], z[~down], time)
        return color, label

    def _ground_light(self, pose: Pose, built: list[Built], time: float) -> np.ndarray:
        """Return uint8 [H * W, 2]: how far sun and sky reach the ground, 255 fully."""
        light, street = self._light, self._street
        cars = self._traffic.cars(time)
        shadows = [outline for item in built for outline in item.shadows]
        shadows += [shadow_outline(light, np.array(car_caster(*car))) for car in cars]
        contacts = [outline for item in built for outline in item.contacts]
        contacts += [car_contact(*car) for car in cars]
        sun = np.full((pose.height, pose.width), 255, np.uint8)
        fill_ground(sun, pose, shadows, street.ground, 0)
        sky = np.full((pose.height, pose.width), 255, np.uint8)
        fill_ground(sky, pose, contacts, street.ground, 90)
        reach = max(1, pose.width // 200)  # the edges of shadows are soft
        sun, sky = (
            cv2.blur(sun, (2 * reach + 1,) * 2),
            cv2.blur(sky, (4 * reach + 1, 2 * reach + 1)),
        )
        return np.stack([sun.ravel(), sky.ravel()], 1)

    def _on_ground(self, reach: np.ndarray) -> np.ndarray:
        """Return the light float32 [n, 3] on level ground, given how far sun and sky reach it."""
        light = self._light
        sun = (light.sun_color * light.sun[1] / 255).astype(np.float32)
        sky = reach[:, 1:] * np.float32(1 / 255)
        return (light.ambient.astype(np.float32) + sun * reach[:, :1]) * sky
