# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of a bag or of any other source, in memory, as messages that can be sent at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.bags.cameras import Camera, choose_cameras
from mbu_ros.bags.format import COMPRESSED_IMAGE
from mbu_ros.bags.message import decode
from mbu_ros.bags.reader import BagReader
from mbu_ros.bench.ros_frames import image_message
from mbu_ros.data.sample import Sample
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import to_rgb

MOST_BYTES = 512 * 1024 * 1024
"""Of images kept in memory, of all cameras together."""
MOST_FRAMES = 600
"""Of a camera; more would only take longer to load. They are sent over and over."""


@dataclass(frozen=True)
class Preloaded:
    """Images of one camera.

    Attributes:
        source: where they come from, for people: a topic or the name of a data set.
        messages: serialized as CDR, in order.
        compressed: whether they are CompressedImage, not Image.
        complete: whether these are all the images that the source has; else they are the first.
        unusable: messages read that are no image that the node can use; left out.
    """

    source: str
    messages: Sequence[bytes]
    compressed: bool = False
    complete: bool = True
    unusable: int = 0

    @property
    def megabytes(self) -> float:
        """Memory that they take."""
        return sum(map(len, self.messages)) / 1e6


def preload_bag(
    path: Path, image_topics: Sequence[str] = (), most_bytes: int = MOST_BYTES
) -> list[Preloaded]:
    """The first images of these topics of a bag (of all its cameras if none is named), unchanged.

    Raises:
        InputError: no bag, no such topic, or a camera without an image that the node can use.
    """
    cameras = choose_cameras(path, image_topics)
    return [_preload_camera(path, camera, most_bytes // len(cameras)) for camera in cameras]


def preload_samples(
    name: str, samples: Iterable[Sample], most_bytes: int = MOST_BYTES
) -> list[Preloaded]:
    """The first of these samples as one camera's images, rgb8.

    Raises:
        InputError: there is none.
    """
    messages, complete = _take((image_message(sample.image) for sample in samples), most_bytes)
    if not messages:
        raise InputError(f'{name}: there is no image to send')
    return [Preloaded(name, messages, complete=complete)]


def _preload_camera(path: Path, camera: Camera, most_bytes: int) -> Preloaded:
    unusable: list[InputError] = []

    def usable() -> Iterator[bytes]:
        for message in reader.messages({camera.image_topic}):
            try:
                # A frame that the node has to refuse would count as one that it had no time for.
                to_rgb(decode(message))
            except InputError as error:
                unusable.append(error)
                continue
            yield message.data

    reader = BagReader(path, camera.image_topic, '')
    messages, complete = _take(usable(), most_bytes)
    if not messages:
        reason = unusable[0] if unusable else 'there is none'
        raise InputError(f'{path}: no image in {camera.image_topic} can be used: {reason}')
    return Preloaded(
        camera.image_topic, messages, camera.kind == COMPRESSED_IMAGE, complete, len(unusable)
    )


def _take(messages: Iterator[bytes], most_bytes: int) -> tuple[list[bytes], bool]:
    """The first messages, one at least, within the limits; and whether there are no more."""
    taken: list[bytes] = []
    size = 0
    for message in messages:
        size += len(message)
        if taken and (size > most_bytes or len(taken) == MOST_FRAMES):
            return taken, False
        taken.append(message)
    return taken, True
