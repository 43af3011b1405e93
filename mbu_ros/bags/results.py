# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes a copy of a bag with masks and overlays beside the images they belong to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Writer

from mbu_ros.bags.bag import Bag
from mbu_ros.bags.cameras import Camera
from mbu_ros.bags.connections import Stored
from mbu_ros.bags.definitions import define
from mbu_ros.bags.format import (
    COMPRESSED_IMAGE,
    COMPRESSED_SUFFIX,
    IMAGE,
    TYPESTORE,
    raw_topic,
    stamp_nanoseconds,
)
from mbu_ros.bags.messages import make_compressed_image, make_image
from mbu_ros.bags.new_bag import new_bag, report_failure
from mbu_ros.bags.topics import namespace
from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.imaging.overlay import overlay
from mbu_ros.imaging.resize import resize_mask

LOGGER = logging.getLogger(__name__)

MASK, OVERLAY = '/mask', '/overlay'

Masks = Callable[[str, int, tuple[int, int]], np.ndarray | None]


def write_results(
    source: Path | str,
    out: Path | str,
    model_classes: ClassMap,
    masks: Masks,
    cameras: Sequence[Camera],
) -> int:
    """Copy a bag as it is and add what a model saw; RViz and Foxglove play the result.

    Every message is copied as it is, of whatever type; what was compressed message by message or
    file by file is unpacked. After each image with a mask follow
    `<camera namespace>/segmentation/mask` (mono8 class ids) and
    `<camera namespace>/segmentation/overlay` (rgb8; `.../overlay/compressed`, JPEG, where the
    camera is compressed), with the image's header and log time. Where the bag has such topics
    already, `segmentation_2` takes the place of `segmentation`, and so on. The copy has the
    source's storage. It is written beside its place and moved there when it is complete.

    Args:
        source: the bag to copy.
        out: folder to make.
        model_classes: what mask values mean, and their colours.
        masks: asked with image topic, header stamp (ns) and `Sample.logged` of each image; its
            mask, uint8 [H, W], or None.
        cameras: those of the bag that were segmented.

    Returns:
        The number of masks added.

    Raises:
        InputError: `out` exists or cannot be written (a full disk); or `source` is unreadable.
    """
    bag, out = Bag(source), Path(out)
    bases = _bases([camera.image_topic for camera in cameras], bag.topics)
    before: dict[str, tuple[int, int]] = {}
    with new_bag(out, bag.storage, bag.custom) as writer:
        copy = _Copy(writer, out, bag)
        for message in bag.messages():
            copy.add(message)
            topic = message.connection.topic
            base = bases.get(topic)
            if base is not None:
                time, turn = before.get(topic, (None, 0))
                before[topic] = message.time, turn + 1 if time == message.time else 0
                for name, kind, result in _results(
                    message, before[topic], masks, model_classes
                ):
                    copy.add_result(base + name, kind, message.time, result)
        copy.add_empty_topics()
    return copy.masks


class _Copy:
    """The bag being written."""

    def __init__(self, writer: Writer, path: Path, bag: Bag) -> None:
        self.masks = 0
        self._writer = writer
        self._path = path
        self._bag = bag
        self._connections: dict[tuple[str, str], Connection] = {}

    def add(self, message: Stored) -> None:
        with report_failure(self._path):
            self._writer.write(self._copied(message.connection), message.time, message.data)

    def add_result(self, topic: str, kind: str, time: int, message: object) -> None:
        with report_failure(self._path):
            if (topic, kind) not in self._connections:
                self._connections[topic, kind] = self._writer.add_connection(
                    topic, kind, typestore=TYPESTORE
                )
            data = TYPESTORE.serialize_cdr(message, kind)
            self._writer.write(self._connections[topic, kind], time, data)
        self.masks += topic.endswith(MASK)

    def add_empty_topics(self) -> None:
        """Topics without messages are part of the bag, too."""
        with report_failure(self._path):
            for connection in self._bag.connections:
                self._copied(connection)

    def _copied(self, connection: Connection) -> Connection:
        key = connection.topic, connection.msgtype
        if key not in self._connections:
            definition, digest = define(connection, self._bag.digests.get(connection.topic, ''))
            self._connections[key] = self._writer.add_connection(
                *key,
                msgdef=definition,
                rihs01=digest,
                offered_qos_profiles=connection.ext.offered_qos_profiles,
            )
        return self._connections[key]


def _results(
    message: Stored, logged: tuple[int, int], masks: Masks, classes: ClassMap
) -> Iterator[tuple[str, str, object]]:
    """End of the topic's name, type and message of each result of an image."""
    topic, kind = message.connection.topic, message.connection.msgtype
    try:
        image = TYPESTORE.deserialize_cdr(message.data, kind)
        stamp = stamp_nanoseconds(image)
    except Exception:  # a damaged message, which nobody segmented either
        return
    mask = masks(topic, stamp, logged)
    if mask is None:
        return
    yield MASK, IMAGE, make_image(image.header, mask, 'mono8')
    try:
        pixels = to_rgb(image)
    except InputError as error:
        LOGGER.warning('%s at %d: no overlay: %s', topic, stamp, error)
        return
    painted = overlay(pixels, resize_mask(mask, *pixels.shape[:2]), classes.colors)
    if kind == COMPRESSED_IMAGE:
        yield (
            OVERLAY + COMPRESSED_SUFFIX,
            COMPRESSED_IMAGE,
            make_compressed_image(image.header, painted),
        )
    else:
        yield OVERLAY, IMAGE, make_image(image.header, painted, 'rgb8')


def _bases(image_topics: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """By image topic, what the topics of its results begin with."""
    bases = {}
    spaces = [namespace(topic) for topic in image_topics]
    for topic, space in zip(image_topics, spaces):
        if spaces.count(space) > 1:
            # Cameras side by side in one namespace, such as /stereo/left and /stereo/right.
            space = raw_topic(topic) if topic.endswith(COMPRESSED_SUFFIX) else topic
        base = wanted = f'{space}/segmentation'
        number = 1
        while any(name.startswith(f'{base}/') for name in taken):
            number += 1
            base = f'{wanted}_{number}'
        bases[topic] = base
    return bases
