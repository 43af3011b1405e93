# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tileable surface textures, made once per process.

They have mip levels, so that far surfaces do not flicker. A texel has two numbers: brightness, and
how far the surface's first colour shows rather than its second, such as the glass of a window in a
wall. Rows go upwards.
"""

from functools import lru_cache

import cv2
import numpy as np

from .randomness import TEXTURES, stream

SIZE = 512
LEVELS = 10
CELLS = 4
"""A facade texture has CELLS x CELLS windows: bays across, storeys up."""

NAMES = (
    'flat',
    'plaster',
    'brick',
    'concrete',
    'foliage',
    'grass',
    'asphalt',
    'slabs',
    'roof',
    'cloth',
    'blotch',
    'cloud',
    'windows_plaster',
    'windows_brick',
    'windows_strip',
    'windows_tall',
    'windows_small',
    'shop',
    'ground_plaster',
    'ground_brick',
)
INDEX = {name: index for index, name in enumerate(NAMES)}

_OFFSETS = np.cumsum([0] + [(SIZE >> level) ** 2 for level in range(LEVELS)]).astype(np.int32)


def _noise(rng: np.random.Generator, cell: int, stretch: int = 1) -> np.ndarray:
    """Return smooth tileable noise [SIZE, SIZE] of unit variance, features of `cell` texels."""
    coarse = rng.standard_normal((SIZE // cell // stretch or 1, SIZE // cell)).astype(np.float32)
    tiled = np.tile(coarse, (3, 3))
    fine = cv2.resize(tiled, (3 * SIZE, 3 * SIZE), interpolation=cv2.INTER_CUBIC)
    fine = fine[SIZE : 2 * SIZE, SIZE : 2 * SIZE]
    return (fine - fine.mean()) / (fine.std() + 1e-6)


def _octaves(rng: np.random.Generator, largest: int, smallest: int, fall: float) -> np.ndarray:
    """Return a sum of noises from `largest` to `smallest` texels, of unit variance."""
    total = np.zeros((SIZE, SIZE), np.float32)
    cell, weight = largest, 1.0
    while cell >= smallest:
        total += weight * _noise(rng, cell)
        cell, weight = cell // 2, weight * fall
    return total / total.std()


def _courses(
    rng: np.random.Generator, height: int, width: int, joint: int, spread: float
) -> np.ndarray:
    """Return brightness of blocks in staggered rows: bricks, slabs, roof tiles."""
    out = np.empty((SIZE, SIZE), np.float32)
    columns = np.arange(SIZE)
    for row in range(SIZE // height):
        shift = (row % 2) * width // 2
        block = ((columns + shift) // width) % (SIZE // width)
        tone = 1 + spread * rng.standard_normal(SIZE // width)
        line = np.where((columns + shift) % width < joint, 0.78, tone[block])
        out[row * height : (row + 1) * height] = line
        out[row * height : row * height + joint] = 0.78
    return out


def _wall(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Return the brightness of a wall without windows."""
    stain = 0.05 * _octaves(rng, 128, 16, 0.6)
    if kind == 'brick':
        return _courses(rng, 8, 32, 2, 0.09) + stain + 0.03 * _noise(rng, 2)
    if kind == 'concrete':
        panels = _courses(rng, 128, 128, 3, 0.03)
        return panels + stain + 0.04 * _noise(rng, 2)
    return 1 + stain + 0.035 * _noise(rng, 2)


def _facade(
    rng: np.random.Generator,
    wall: np.ndarray,
    left: float,
    right: float,
    bottom: float,
    top: float,
    bars: int,
    storeys: int = CELLS,
) -> tuple[np.ndarray, np.ndarray]:
    """Return wall with a grid of windows; edges of the glass are fractions of a cell."""
    bright, first = wall.copy(), np.ones_like(wall)
    wide, high = SIZE // CELLS, SIZE // storeys
    for row in range(storeys):
        for column in range(CELLS):
            x0, x1 = int((column + left) * wide), int((column + right) * wide)
            y0, y1 = int((row + bottom) * high), int((row + top) * high)
            rim = max(2, wide // 28)
            bright[max(y0 - 2 * rim, 0) : y0, max(x0 - rim, 0) : x1 + rim] = 1.22  # the sill
            bright[y0 : y1 + rim, max(x0 - rim, 0) : x1 + rim] = rng.choice((0.8, 1.15))
            climb = np.linspace(0.75, 1.35, y1 - y0, dtype=np.float32)[:, None]
            glass = climb * rng.uniform(0.6, 1.3) * np.ones((1, x1 - x0), np.float32)
            kind = rng.random()
            clear = np.zeros_like(glass)
            if kind < 0.3:  # curtains at both sides
                edge = max(2, (x1 - x0) // 5)
                for part in (np.s_[:, :edge], np.s_[:, -edge:]):
                    glass[part], clear[part] = 1.2, 0.7
            elif kind < 0.5:  # a blind, partly down
                part = np.s_[int((y1 - y0) * rng.uniform(0.3, 0.8)) :]
                glass[part], clear[part] = 1.15, 0.75
            first[y0:y1, x0:x1] = clear
            bright[y0:y1, x0:x1] = glass
            for bar in range(1, bars + 1):
                at = x0 + (x1 - x0) * bar // (bars + 1)
                first[y0:y1, at - 1 : at + 2] = 1
                bright[y0:y1, at - 1 : at + 2] = 1.2
    return bright, first


def _shop(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the ground floor of shops: one storey high, CELLS bays wide, with signs above."""
    bright, first = _facade(rng, _wall(rng, 'plaster'), 0.06, 0.94, 0.1, 0.68, 2, storeys=1)
    wide = SIZE // CELLS
    for column in range(CELLS):
        x0, x1 = column * wide + 4, (column + 1) * wide - 4
        bright[int(0.72 * SIZE) : int(0.88 * SIZE), x0:x1] = rng.uniform(0.45, 1.5)
        at = x0 + 8
        while at < x1 - 14:  # letters
            width = int(rng.integers(4, 10))
            bright[int(0.76 * SIZE) : int(0.84 * SIZE), at : at + width] = rng.choice((0.25, 1.8))
            at += width + 4
        door = x0 + int(rng.integers(0, wide // 2))
        bright[int(0.02 * SIZE) : int(0.6 * SIZE), door : door + wide // 4] *= 0.6
    return bright, first


def _ground_floor(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the ground floor of dwellings: windows, and a door in some bays."""
    bright, first = _facade(rng, _wall(rng, kind), 0.22, 0.78, 0.3, 0.78, 1, storeys=1)
    wide = SIZE // CELLS
    bright[: SIZE // 12] *= 0.7  # the plinth
    for column in (1, 3):
        x0, x1 = int((column + 0.3) * wide), int((column + 0.68) * wide)
        first[int(0.2 * SIZE) : int(0.8 * SIZE), column * wide : (column + 1) * wide] = 1
        bright[: int(0.8 * SIZE), column * wide + 6 : (column + 1) * wide - 6] = 1.05
        bright[: int(0.7 * SIZE), x0:x1] = rng.uniform(0.3, 0.55)
    return bright, first


def _draw(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return one texture, two float32 [SIZE, SIZE].

    Brightness around 1, and the share of the first colour.
    """
    rng = stream(0, TEXTURES, INDEX[name])
    whole = np.ones((SIZE, SIZE), np.float32)
    if name == 'flat':
        return whole, whole
    if name in ('plaster', 'brick', 'concrete'):
        return _wall(rng, name), whole
    if name == 'foliage':
        clumps = _octaves(rng, 64, 4, 0.85)
        return 1 + 0.3 * clumps, np.clip(0.5 + 0.45 * _octaves(rng, 128, 8, 0.7), 0, 1)
    if name == 'grass':
        return 1 + 0.16 * _octaves(rng, 64, 2, 0.9), np.clip(0.6 + 0.4 * _noise(rng, 64), 0, 1)
    if name == 'asphalt':
        stones = _noise(rng, 1)
        return 1 + 0.1 * stones + 0.05 * _octaves(rng, 32, 4, 0.8), whole
    if name == 'slabs':
        return _courses(rng, 64, 64, 3, 0.06) + 0.04 * _noise(rng, 2) + 0.03 * _noise(
            rng, 32
        ), whole
    if name == 'roof':
        return _courses(rng, 16, 16, 3, 0.1) + 0.06 * _octaves(rng, 128, 16, 0.6), whole
    if name == 'cloth':
        return 1 + 0.1 * _octaves(rng, 64, 8, 0.8), whole
    if name == 'blotch':
        return 1 + 0.25 * _octaves(rng, 128, 4, 0.65), whole
    if name == 'cloud':
        return np.clip(1 + 0.45 * _octaves(rng, 128, 2, 0.6), 0, 2), whole
    if name == 'windows_plaster':
        return _facade(rng, _wall(rng, 'plaster'), 0.27, 0.73, 0.25, 0.8, 1)
    if name == 'windows_brick':
        return _facade(rng, _wall(rng, 'brick'), 0.3, 0.7, 0.25, 0.78, 1)
    if name == 'windows_strip':
        return _facade(rng, _wall(rng, 'concrete'), 0.03, 0.97, 0.32, 0.78, 2)
    if name == 'windows_tall':
        return _facade(rng, _wall(rng, 'plaster'), 0.2, 0.8, 0.1, 0.88, 1)
    if name == 'windows_small':
        return _facade(rng, _wall(rng, 'brick'), 0.36, 0.64, 0.35, 0.75, 0)
    if name == 'shop':
        return _shop(rng)
    return _ground_floor(rng, name.split('_')[1])


@lru_cache(maxsize=1)
def _pyramids() -> np.ndarray:
    """Return all textures and levels, uint8 [texels, 2]; 128 is brightness 1."""
    out = []
    for name in NAMES:
        bright, first = _draw(name)
        texels = np.stack([np.clip(bright * 128, 0, 255), np.clip(first * 255, 0, 255)], -1)
        for level in range(LEVELS):
            side = SIZE >> level
            scaled = cv2.resize(texels, (side, side), interpolation=cv2.INTER_AREA)
            out.append(np.round(scaled).astype(np.uint8).reshape(-1, 2))
    return np.concatenate(out)


def sample(
    texture: np.ndarray | int, u: np.ndarray, v: np.ndarray, footprint: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Look textures up at texel coordinates.

    texture: index per point; u, v: float32 [n] in texels, any value; footprint: float32 [n], texels
    per pixel. Returns brightness (around 1) and the first colour's share in [0, 1], both float32
    [n].
    """
    # The exponent bits of a float are the floor of its binary logarithm.
    level = (np.ascontiguousarray(footprint, np.float32).view(np.int32) >> 23) - 127
    level = np.clip(level, 0, LEVELS - 1)
    mask = (SIZE - 1) >> level
    column = (np.floor(u).astype(np.int32) >> level) & mask
    row = (np.floor(v).astype(np.int32) >> level) & mask
    at = texture * _OFFSETS[-1] + _OFFSETS[level] + row * (mask + 1) + column
    texel = _pyramids().take(at, 0)
    return texel[:, 0] * np.float32(1 / 128), texel[:, 1] * np.float32(1 / 255)
