# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ground: which surface lies under each pixel, its colour, and its label."""

from dataclasses import dataclass

import numpy as np

from .camera import Pose
from .classes import PAVEMENT, ROAD
from .street import KERB, Street
from .textures import INDEX, sample
from .world import BLOCK, Block

FAR = 450.0
_CELL = 0.1  # metres of the table of what crosses the road


class Profile:
    """The ground as seen from the camera: how far a line of sight goes, from its slope alone.

    The height depends on z only, so a ray of slope dy/dz meets the ground at one z whatever its dx.
    """

    def __init__(self, street: Street, pose: Pose) -> None:
        """Tabulate the slope of the line of sight to the ground at growing distances."""
        x, y, z = pose.position
        self._ahead = np.geomspace(0.3, FAR, 300)
        slope = (street.ground(z + self._ahead) - y) / self._ahead
        # Ground behind a crest is hidden by the crest.
        self._slope = np.maximum.accumulate(slope)
        self._hidden = self._slope - slope
        self.horizon = float(self._slope[-1])

    def ahead(self, slope: np.ndarray) -> np.ndarray:
        """Return metres along z to the ground, for rays of dy/dz up to `horizon`."""
        return np.interp(slope, self._slope, self._ahead)

    def edge(self, ahead: np.ndarray) -> np.ndarray:
        """Return the slope below which the ground hides what stands `ahead` metres along z."""
        return np.interp(ahead, self._ahead, self._slope)

    def hidden(self, ahead: np.ndarray) -> np.ndarray:
        """Return whether the ground `ahead` metres along z lies behind a crest."""
        return np.interp(ahead, self._ahead, self._hidden) > 1e-4


@dataclass(frozen=True)
class _Surface:
    label: int
    texture: int
    texels: float  # per metre
    color: np.ndarray
    second: np.ndarray


class Ground:
    """The ground of one drive."""

    def __init__(self, street: Street, rng: np.random.Generator) -> None:
        """Choose materials for the cross-section of the street."""
        self._street = street

        def surface(label, texture, texels, color, second=None):
            tone = rng.uniform(0.88, 1.12)
            color = np.array(color) * tone
            return _Surface(
                label,
                INDEX[texture],
                texels,
                color,
                color if second is None else np.array(second) * tone,
            )

        asphalt = np.array([0.36, 0.36, 0.37]) * rng.uniform(0.8, 1.25)
        road = surface(ROAD, 'asphalt', 60, asphalt)
        kerb = surface(PAVEMENT, 'concrete', 60, (0.66, 0.65, 0.62))
        grass = surface(PAVEMENT, 'grass', 60, (0.30, 0.38, 0.17), (0.42, 0.40, 0.22))
        walk_color = [(0.58, 0.56, 0.53), (0.52, 0.50, 0.49), (0.62, 0.56, 0.50)][rng.integers(3)]
        walk = surface(
            PAVEMENT,
            str(rng.choice(['slabs', 'slabs', 'plaster', 'asphalt'])),
            float(rng.choice([64, 100])),
            walk_color,
        )
        paved = surface(PAVEMENT, 'concrete', 64, (0.50, 0.48, 0.45))
        drive = surface(PAVEMENT, 'asphalt', 60, (0.45, 0.43, 0.42))
        strip = grass if street.strip_grass else walk
        yard = grass if street.setback_grass else paved
        surfaces = [road, kerb, strip, walk, yard, grass, drive]
        self._materials = np.array(
            [[*s.color, *s.second, s.texels, s.texture] for s in surfaces], np.float32
        )
        self._labels = np.array([s.label for s in surfaces], np.uint8)
        self._driveway = 6
        edges, zones = [], []
        for side in (1, -1):
            at = street.half(side)
            steps = (0.0, KERB, street.strip, street.footway, street.setback + 4)
            outer = at + np.cumsum(steps)
            edges.append(outer)
            zones.append([1, 2, 3, 4, 5])
        self._edges = np.concatenate([-edges[1][::-1], edges[0]])
        self._zones = np.array(zones[1][::-1] + [0] + zones[0])
        self._marking = np.array([0.86, 0.86, 0.83]) * rng.uniform(0.85, 1.05)
        self._gutter = rng.uniform(0.78, 0.95)
        self._wear = rng.uniform(0.0, 0.5)

    def _crossings(self, blocks: list[Block], begin: float) -> np.ndarray:
        """Return flags per _CELL of z.

        1, 2: side street at the left, right; 4, 8: driveway at the left, right; 16: zebra crossing.
        """
        table = np.zeros(int((FAR + 2 * BLOCK) / _CELL), np.uint8)
        for block in blocks:
            spans = [(span, 1 << side) for side in range(2) for span in block.side_streets[side]]
            spans += [(span, 4 << side) for side in range(2) for span in block.driveways[side]]
            spans += [(span, 16) for span in block.crossings]
            for (z0, z1), flag in spans:
                first, last = int((z0 - begin) / _CELL), int((z1 - begin) / _CELL)
                table[max(first, 0) : max(last, 0)] |= flag
        return table

    def shade(
        self,
        pose: Pose,
        blocks: list[Block],
        ahead: np.ndarray,
        dx_dz: np.ndarray,
        jitter: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return colours float32 [n, 3] without light and labels uint8 [n] of ground points.

        ahead [n]: metres along z from the camera; dx_dz [n]: sideways slope of the ray; jitter
        float32 [n].
        """
        street, begin = self._street, pose.position[2] - BLOCK
        z = pose.position[2] + ahead
        nodes = np.linspace(0, FAR + 1, 512)
        centre = np.interp(ahead, nodes, street.centre(pose.position[2] + nodes))
        lateral = (pose.position[0] + dx_dz * ahead - centre).astype(np.float32)
        flags = self._crossings(blocks, begin)[((ahead + BLOCK) / _CELL).astype(np.int32)]
        right = lateral > 0
        zone = self._zones[np.searchsorted(self._edges, lateral)]
        beside = zone > 0
        side_street = beside & ((flags & np.where(right, 2, 1)) > 0)
        driveway = beside & ((flags & np.where(right, 8, 4)) > 0) & ~side_street
        zone[side_street] = 0
        zone[driveway] = self._driveway

        material = self._materials.take(zone, 0)
        texels, texture = material[:, 6], material[:, 7].astype(np.int32)
        near = ahead.astype(np.float32)
        # A pixel covers more ground along z than across; the mean keeps both detail and calm.
        across = near * np.float32(1 / pose.focal)
        print_size = across * np.sqrt(np.maximum(near * np.float32(1 / 1.4), 1))
        along = (z % 4096).astype(np.float32)
        footprint = print_size * texels
        softer = jitter * np.maximum(footprint, 1)
        bright, first = sample(
            texture, lateral * texels + softer, along * texels + softer, footprint
        )
        macro, _ = sample(INDEX['blotch'], lateral * 24, along * 16 + 77, print_size * 24)
        color = material[:, 3:6]
        color = color + first[:, None] * (material[:, :3] - color)
        tone = bright * (0.55 + 0.45 * macro)
        self._paint_road(color, tone, lateral, z, flags, np.flatnonzero(zone == 0), macro)
        color *= tone[:, None]
        return color, self._labels[zone]

    def _paint_road(
        self,
        color: np.ndarray,
        tone: np.ndarray,
        lateral: np.ndarray,
        z: np.ndarray,
        flags: np.ndarray,
        at: np.ndarray,
        macro: np.ndarray,
    ) -> None:
        """Paint markings, gutters, seams and repairs on the road points `at`, in place."""
        street = self._street
        x, flags = lateral[at], flags[at]
        away = np.abs(x)
        plain = (flags & 19) == 0
        painted = [np.flatnonzero(plain & (away < 0.075))]
        painted[0] = painted[0][z[at[painted[0]]] % (2.6 * street.dash) < street.dash]
        for side in (-1, 1):
            parking = street.parking[side > 0]
            if street.edge_lines or parking:
                line = np.flatnonzero(
                    plain & (np.abs(x - side * (street.lane - (0 if parking else 0.3))) < 0.06)
                )
                if not street.edge_lines:  # marks between parked cars and the lane
                    line = line[z[at[line]] % 6 < 3]
                painted.append(line)
        zebra = np.flatnonzero(flags & 16)
        painted.append(zebra[(x[zebra] + 20) % 1.0 < 0.5])
        shade = np.where(
            np.minimum(street.half(1) - x, street.half(-1) + x) < 0.25,
            np.float32(self._gutter),
            np.float32(1),
        )
        # Repairs: rectangles of newer, darker asphalt.
        middle, half = self._patches(z[at])
        shade[np.abs(x - middle) < half] *= 0.78
        tone[at] *= shade
        line = at[np.concatenate(painted)]
        # Paint wears off in patches.
        cover = np.clip(1.5 - self._wear - 0.5 * macro[line], 0.25, 0.95)[:, None]
        color[line] += cover * (self._marking.astype(np.float32) - color[line])

    def _patches(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return middle and half width (0: none) of the repaired asphalt at each z, float32."""
        row = (z * 2).astype(np.int32)  # tables of half a metre
        first = int(row.min()) if len(row) else 0
        rows = np.arange(first, (int(row.max()) if len(row) else 0) + 1)
        lot = (rows // 14 * 2654435761 >> 7) % 97
        there = (lot % 3 == 0) & (rows % 14 > 3 + 2 * (lot % 4))
        middle = ((lot - 48) / 48 * self._street.lane).astype(np.float32)
        half = np.where(there, 0.5 + (lot % 7) * 0.12, 0).astype(np.float32)
        return middle[row - first], half[row - first]
