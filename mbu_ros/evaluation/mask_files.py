# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks of cameras as PNG files, found again by topic and stamp."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mbu_ros.bags.format import stamp_name
from mbu_ros.errors import InputError
from mbu_ros.imaging.sheet import write_image


class MaskFiles:
    """A folder of masks: FOLDER/TOPIC/SECONDS.NANOSECONDS.png, with __ for each / of the topic.

    Folders are made where missing. Each file is written whole or not at all.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path(self, topic: str, stamp: int) -> Path:
        """Where the mask of an image topic's frame of a stamp (ns) lies, or would."""
        return self.folder / topic.replace('/', '__') / f'{stamp_name(stamp)}.png'

    def put(self, topic: str, stamp: int, mask: np.ndarray) -> None:
        """Keep a mask, uint8 [H, W]; one of the same topic and stamp is replaced.

        Raises:
            InputError: the file cannot be written.
        """
        write_image(self.path(topic, stamp), mask)

    def get(self, topic: str, stamp: int) -> np.ndarray | None:
        """The mask, uint8 [H, W]; None where none was put.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path(topic, stamp)
        if not path.is_file():
            return None
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if mask is None or mask.ndim != 2 or mask.dtype != np.uint8:
            raise InputError(f'{path}: no longer a mask; remove it and evaluate again')
        return mask
