# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drives: sequences of labelled frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .scene import Scene

SMALLEST, TALLEST, WIDEST = 32, 2160, 3840
_SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Frame:
    """One frame.

    image: uint8 [H, W, 3], RGB; label: uint8 [H, W], an index into CLASSES; time: seconds since the
    start of the drive.
    """

    image: np.ndarray
    label: np.ndarray
    time: float


class Drive(Sequence):
    """A drive through a street, as a sequence of frames that are rendered when they are asked for.

    Frame i depends on (seed, i, height, width, rate_hz) alone: frames may be rendered in any order,
    and by several processes. A Drive is cheap to make and to pickle; it is not for use by several
    threads at once.
    """

    def __init__(
        self, seed: int, frames: int, height: int = 240, width: int = 320, rate_hz: float = 10.0
    ) -> None:
        """Describe the drive; nothing is rendered yet.

        seed: at least 0; frames: at least 1; height, width: pixels, from 32 x 32 to 2160 x 3840;
        rate_hz: frames per second, above 0. ValueError for anything else.
        """
        if seed < 0:
            raise ValueError(f'seed is {seed}: give an integer of at least 0')
        if frames < 1:
            raise ValueError(f'frames is {frames}: give an integer of at least 1')
        if not (SMALLEST <= height <= TALLEST and SMALLEST <= width <= WIDEST):
            raise ValueError(
                f'the image size is {height} x {width} (height x width): give a height of '
                f'{SMALLEST} to {TALLEST} and a width of {SMALLEST} to {WIDEST} pixels'
            )
        if not 0 < rate_hz < float('inf'):
            raise ValueError(f'rate_hz is {rate_hz}: give a number of frames per second above 0')
        self.seed, self.frames, self.rate_hz = seed, frames, rate_hz
        self.height, self.width = height, width
        self._scene: Scene | None = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.frames

    def __getitem__(self, index: int) -> Frame:
        """Render frame `index` (negative: from the end); IndexError outside the drive."""
        place = index + self.frames if index < 0 else index
        if not 0 <= place < self.frames:
            raise IndexError(f'frame {index} is outside a drive of {self.frames} frames')
        if self._scene is None:
            self._scene = Scene(self.seed)
        time = place / self.rate_hz
        image, label = self._scene.render(place, time, self.height, self.width)
        return Frame(image, label, time)

    def __getstate__(self) -> dict:
        """Leave the scene out: it is made again from the seed."""
        return {**self.__dict__, '_scene': None}


def split_drives(
    split: Literal['train', 'val', 'test'],
    frames: int,
    frames_per_drive: int = 20,
    height: int = 240,
    width: int = 320,
    seed: int = 0,
) -> list[Drive]:
    """Return drives with `frames` frames in total, of at most frames_per_drive frames each.

    Seeds of drives are 3 * n for train, 3 * n + 1 for val and 3 * n + 2 for test, so no drive is
    ever in two splits, whatever the base seeds; a base seed picks another run of n. ValueError for
    a bad argument.
    """
    if split not in _SPLITS:
        raise ValueError(f'split is {split!r}: give one of {", ".join(_SPLITS)}')
    for name, value, least in (
        ('frames', frames, 1),
        ('frames_per_drive', frames_per_drive, 1),
        ('seed', seed, 0),
    ):
        if value < least:
            raise ValueError(f'{name} is {value}: give an integer of at least {least}')
    # A base seed leaves room for a million drives before the next one's begin.
    first = seed * 1_000_000
    counts = [min(frames_per_drive, frames - done) for done in range(0, frames, frames_per_drive)]
    return [
        Drive(3 * (first + number) + _SPLITS.index(split), count, height, width)
        for number, count in enumerate(counts)
    ]
