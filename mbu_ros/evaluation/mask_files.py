# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks of cameras as PNG files, found again by topic and stamp."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mbu_ros.bags.format import stamp_name
from mbu_ros.errors import InputError
from mbu_ros.imaging.sheet import write_image

Logged = tuple[int, int]
"""When an image was logged, see `Sample.logged`."""


class MaskFiles:
    """A folder of masks: FOLDER/TOPIC/SECONDS.NANOSECONDS.png, with __ for each / of the topic.

    A camera may repeat its stamps, which only shows at its last frame. Masks that are put with the
    time at which their image was logged have that in their name, too (STAMP@LOGGED.png), until
    `shorten` takes it from those that need it not.

    Folders are made where missing. Each file is written whole or not at all.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path(self, topic: str, stamp: int, logged: Logged | None = None) -> Path:
        """Where the mask of an image topic's frame of a stamp (ns) lies, or would."""
        folder = topic.replace('/', '__').replace('\0', '_')
        if folder in ('.', '..'):  # topics of a bag are anybody's input
            folder = f'__{folder}'
        name = stamp_name(stamp)
        if logged is not None:
            time, turn = logged
            name += f'@{stamp_name(time)}' + (f'_{turn}' if turn else '')
        return self.folder / folder / f'{name}.png'

    def put(
        self, topic: str, stamp: int, mask: np.ndarray, logged: Logged | None = None
    ) -> None:
        """Keep a mask, uint8 [H, W]; one of the same topic, stamp and time is replaced.

        Raises:
            InputError: the file cannot be written.
        """
        write_image(self.path(topic, stamp, logged), mask)

    def get(self, topic: str, stamp: int, logged: Logged | None = None) -> np.ndarray | None:
        """The mask, uint8 [H, W]; None where none was put.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path(topic, stamp, logged)
        if logged is not None and not path.is_file():
            path = self.path(topic, stamp)
        if not path.is_file():
            return None
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if mask is None or mask.ndim != 2 or mask.dtype != np.uint8:
            raise InputError(f'{path}: no longer a mask; remove it and evaluate again')
        return mask

    def shorten(self, topic: str, frames: Sequence[tuple[int, Logged]]) -> None:
        """Name the masks after their stamps alone, but for those that share one.

        Args:
            topic: of the images.
            frames: stamp, and when it was logged, of each frame of this topic.

        Raises:
            InputError: a file cannot be renamed.
        """
        count = Counter(stamp for stamp, _ in frames)
        for stamp, logged in frames:
            path = self.path(topic, stamp, logged)
            if count[stamp] > 1 or not path.is_file():
                continue
            try:
                path.replace(self.path(topic, stamp))
            except OSError as error:
                raise InputError(f'{path}: cannot be renamed: {error.strerror}') from error
