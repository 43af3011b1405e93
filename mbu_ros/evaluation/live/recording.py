# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of a live run while it goes on: every mask as a file, and a few times per frame.

Judging masks takes the processor away from what is being measured, so that comes afterwards, from
the bag. No ROS here: the evaluator node hands in what it receives, with the time at which it did.
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from mbu_ros.evaluation.mask_files import MaskFiles

WAITING_BYTES = 256 * 1024 * 1024
"""Masks that may wait to be written; with more, receiving waits for the disk."""


@dataclass
class CameraTimes:
    """Times of one camera's frames, by stamp in nanoseconds.

    Attributes:
        images, masks: when they were received, in nanoseconds of one clock.
        stages: milliseconds by stage, as the node told.
        images_again, masks_again: how many more came with the same stamp.
    """

    images: dict[int, int] = field(default_factory=dict)
    masks: dict[int, int] = field(default_factory=dict)
    stages: dict[int, Mapping[str, float]] = field(default_factory=dict)
    images_again: Counter[int] = field(default_factory=Counter)
    masks_again: Counter[int] = field(default_factory=Counter)

    @property
    def doubtful(self) -> set[int]:
        """Stamps of which fewer masks than images came: nobody knows whose masks these are."""
        return {
            stamp
            for stamp, images in self.images_again.items()
            if stamp in self.masks and self.masks_again[stamp] < images
        }

    def latency(self, stamp: int) -> float | None:
        """Milliseconds from receiving an image to receiving its mask; None where unknown."""
        image, mask = self.images.get(stamp), self.masks.get(stamp)
        if image is None or mask is None or mask < image:
            return None
        return (mask - image) * 1e-6


class Recording:
    """Frames of several cameras, by image topic.

    Args:
        topics: of the images.
        files: where masks go.

    Attributes:
        cameras: times by image topic.
        files: as given.
    """

    def __init__(self, topics: list[str], files: MaskFiles) -> None:
        self.cameras = {topic: CameraTimes() for topic in topics}
        self.files = files
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix='masks')
        self._waiting = 0
        self._room = threading.Condition()
        self._failure: BaseException | None = None

    @property
    def images(self) -> int:
        """Different images received."""
        return sum(len(times.images) for times in self.cameras.values())

    @property
    def masks(self) -> int:
        """Different masks received."""
        return sum(len(times.masks) for times in self.cameras.values())

    @property
    def repeated(self) -> int:
        """Images and masks with a stamp that was there already."""
        return sum(
            times.images_again.total() + times.masks_again.total()
            for times in self.cameras.values()
        )

    def add_image(self, topic: str, stamp: int, now: int) -> None:
        """An image was received; stamp and time in nanoseconds."""
        times = self.cameras[topic]
        if stamp in times.images:
            times.images_again[stamp] += 1
        times.images.setdefault(stamp, now)

    def add_mask(self, topic: str, stamp: int, mask: np.ndarray, now: int) -> None:
        """The mask, uint8 [H, W], of an image was received; the first of a stamp is kept.

        Raises:
            InputError: one before could not be written.
        """
        times = self.cameras[topic]
        if stamp in times.masks:
            times.masks_again[stamp] += 1
            return
        times.masks[stamp] = now
        with self._room:
            self._room.wait_for(lambda: self._waiting < WAITING_BYTES)
            self._waiting += mask.nbytes
        if self._failure is not None:
            raise self._failure
        written = self._writer.submit(self.files.put, topic, stamp, mask)
        written.add_done_callback(lambda done: self._note_written(done, mask.nbytes))

    def add_stages(self, topic: str, stamp: int, milliseconds: Mapping[str, float]) -> None:
        """The node told how long a frame took, by stage."""
        self.cameras[topic].stages[stamp] = milliseconds

    def finish(self) -> None:
        """Wait until all masks are written.

        Raises:
            InputError: one could not be.
        """
        self._writer.shutdown()
        if self._failure is not None:
            raise self._failure

    def _note_written(self, done: Future[None], size: int) -> None:
        self._failure = self._failure or done.exception()
        with self._room:
            self._waiting -= size
            self._room.notify_all()


def stamp_of(serialized: bytes) -> int:
    """Header stamp, in nanoseconds, of a serialized message that begins with its header.

    It spares making an object of megabytes for eight bytes.
    """
    # CDR: four bytes, of which the second tells the byte order, then the fields.
    seconds, nanoseconds = struct.unpack_from('<iI' if serialized[1] & 1 else '>iI', serialized, 4)
    return int(seconds * 10**9 + nanoseconds)
