# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Matches masks to labels and images by stamp while they arrive, in bounded memory.

No ROS here: the evaluator node hands in what it receives, with the time at which it did.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np

from mbu_ros.bags.format import SECOND, stamp_name
from mbu_ros.data.sample import Sample
from mbu_ros.errors import InputError
from mbu_ros.evaluation.evaluate import Evaluation

LOGGER = logging.getLogger(__name__)

PENDING_BYTES = 256 * 1024 * 1024
"""Pixels kept of frames for which something is still awaited; the oldest frames are given up. That
is half a minute of 480x360 at 10 Hz, and a second of 2048x1024 at 30 Hz."""


@dataclass(frozen=True)
class _Frame:
    image: np.ndarray | None = None
    label: np.ndarray | None = None
    mask: np.ndarray | None = None
    mask_time: float = 0.0

    @property
    def size(self) -> int:
        parts = (self.image, self.label, self.mask)
        return sum(part.nbytes for part in parts if part is not None)


class LiveEvaluation:
    """Counts a frame when its mask and all that is expected of it have come, in any order.

    Args:
        evaluation: where frames are counted.
        images: whether images are expected, for pictures.
        labels: whether labels are expected.

    Attributes:
        evaluation: as given.
        masks: masks received.
        unusable_labels: labels of another size than their mask, or with values that are no class.
        repeated: images, labels and masks with the stamp of a frame that was counted already.
    """

    def __init__(self, evaluation: Evaluation, *, images: bool, labels: bool) -> None:
        self.evaluation = evaluation
        self.masks = 0
        self.unusable_labels = 0
        self.repeated = 0
        self._images = images
        self._labels = labels
        self._pending: dict[int, _Frame] = {}
        self._counted: set[int] = set()
        self._arrivals: dict[int, float] = {}
        self._start: int | None = None
        self._bytes = 0

    @property
    def seen(self) -> int:
        """Frames of which an image or a label was received."""
        return len(self._arrivals)

    def add_image(self, stamp: int, image: np.ndarray, now: float) -> None:
        """An image, uint8 [H, W, 3] RGB, with its stamp (ns) and time of receipt (s)."""
        self._arrivals.setdefault(stamp, now)
        self._put(stamp, image=image)

    def add_label(self, stamp: int, label: np.ndarray, now: float) -> None:
        """A label, uint8 [H, W], with its stamp (ns) and time of receipt (s)."""
        self._arrivals.setdefault(stamp, now)
        self._put(stamp, label=label)

    def add_mask(self, stamp: int, mask: np.ndarray, now: float) -> None:
        """A mask, uint8 [H, W], with its stamp (ns) and time of receipt (s).

        Its latency counts from the receipt of the image, or of the label if that came first; it is
        unknown where the mask was received before both.
        """
        self.masks += stamp not in self._counted
        self._put(stamp, mask=mask, mask_time=now)

    def flush(self) -> None:
        """Count the frames that still lack an image or a label, but have a mask."""
        for stamp in list(self._pending):
            self._count(stamp)

    def _put(self, stamp: int, **parts: object) -> None:
        if stamp in self._counted:
            self.repeated += 1
            return
        self._start = stamp if self._start is None else self._start
        before = self._pending.get(stamp, _Frame())
        frame = self._pending[stamp] = replace(before, **parts)
        self._bytes += frame.size - before.size
        if (
            frame.mask is not None
            and (frame.image is not None or not self._images)
            and (frame.label is not None or not self._labels)
        ):
            self._count(stamp)
        while self._bytes > PENDING_BYTES:
            self._count(next(iter(self._pending)))

    def _count(self, stamp: int) -> None:
        frame = self._pending.pop(stamp)
        self._bytes -= frame.size
        if frame.mask is None:
            return
        self._counted.add(stamp)
        arrival = self._arrivals.get(stamp, math.inf)
        latency = (frame.mask_time - arrival) * 1e3 if arrival <= frame.mask_time else None
        image = frame.image
        if image is not None and image.shape[:2] != frame.mask.shape:
            LOGGER.error('the mask of %s has not the size of its image', stamp_name(stamp))
            image = None
        if image is None:  # not wanted, or lost on the way: black in the pictures
            image = np.zeros((*frame.mask.shape, 3), np.uint8)
        time = (stamp - self._start) / SECOND
        sample = Sample(stamp_name(stamp), image, frame.label, time)
        try:
            self.evaluation.add(sample, frame.mask, latency_ms=latency)
        except InputError as error:
            self.unusable_labels += 1
            LOGGER.warning('label not used: %s', error)
            unlabelled = Sample(sample.name, image, None, time)
            self.evaluation.add(unlabelled, frame.mask, latency_ms=latency)
