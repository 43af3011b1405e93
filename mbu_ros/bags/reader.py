# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads frames, labels and raw messages from any rosbag2 that `rosbags` reads."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rosbags.rosbag2 import Reader

from mbu_ros.bags.format import (
    CLASSES_KEY,
    SECOND,
    TYPESTORE,
    parse_classes,
    stamp_name,
    stamp_nanoseconds,
)
from mbu_ros.bags.topics import Topic, choose_image_topic, choose_label_topic
from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import to_label, to_rgb

LOGGER = logging.getLogger(__name__)

WINDOW = 16
"""How many frames an image's label may come after it and still be found."""


class BagMessage(NamedTuple):
    """A message as it lies in a bag."""

    topic: str
    kind: str
    time: int
    """When it was logged, nanoseconds since 1970."""
    data: bytes
    """Serialized as CDR, the form that goes over the wire."""


class BagReader:
    """A bag's frames, streamed: memory does not grow with the bag. Can be read several times.

    Args:
        path: a bag's folder, or one .mcap or .db3 file.
        image_topic: the camera; where None, the bag's only image topic that is no result.
        label_topic: its labels (mono8); where None, the bag's only Image topic with 'label' in its
            name, if there is one.

    Attributes:
        topics: every topic of the bag by name.
        image_topic, label_topic: the topics read; `label_topic` is None without labels.
        image_kind: message type of `image_topic`.
        frames: number of images in `image_topic`.
        classes: what the labels mean, where the bag says so, else None.
        skipped: images and labels that the last reading of `samples` could not use.

    Raises:
        InputError: no such bag, unreadable or damaged, no image in it, or no such topic; the text
            lists the topics that there are.
    """

    def __init__(
        self, path: Path | str, image_topic: str | None = None, label_topic: str | None = None
    ) -> None:
        self.path = Path(path)
        self.skipped = 0
        with self._open() as reader:
            self.topics = {
                name: Topic(topic.msgtype or 'several types', topic.msgcount)
                for name, topic in reader.topics.items()
            }
            custom = reader.storage.metadata.custom or {}
        try:
            self.image_topic = choose_image_topic(self.topics, image_topic)
            self.label_topic = choose_label_topic(self.topics, label_topic, self.image_topic)
        except InputError as error:
            raise InputError(f'{self.path}: {error}') from error
        self.image_kind, self.frames = self.topics[self.image_topic]
        self.classes = self._parse_classes(custom)

    def messages(self, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
        """Messages of these topics (all where None) in the order in which they were logged.

        Raises:
            InputError: the bag is damaged.
        """
        with self._open() as reader:
            connections = [c for c in reader.connections if topics is None or c.topic in topics]
            stream = reader.messages(connections)
            count = 0
            while True:
                try:
                    connection, time, data = next(stream)
                except StopIteration:
                    return
                # What rosbags raises on damaged files comes from half a dozen libraries.
                except Exception as error:
                    raise InputError(
                        f'{self.path}: damaged after {count} messages: {_reason(error)}'
                    ) from error
                count += 1
                yield BagMessage(connection.topic, connection.msgtype, time, bytes(data))

    def samples(self, limit: int | None = None) -> Iterator[Sample]:
        """The camera's frames with their labels, at most `limit`.

        A sample is named after its stamp, 'seconds.nanoseconds', and its time counts from the
        first frame. A label belongs to the image of the same stamp. A message that cannot be used
        is logged, counted in `skipped` and left out.

        Raises:
            InputError: the bag is damaged, no image can be used, or a label's size is wrong.
        """
        self.skipped = 0
        reason = None
        start = None
        count = 0
        for stamp, image_message, label_message in self._pairs():
            if count == limit:
                return
            start = stamp if start is None else start
            try:
                image = to_rgb(image_message)
                label = None if label_message is None else to_label(label_message)
            except InputError as error:
                reason = reason or error
                self._skip(stamp_name(stamp), error)
                continue
            if label is not None and label.shape != image.shape[:2]:
                raise InputError(
                    f'{self.path}: at {stamp_name(stamp)} the label in {self.label_topic} is '
                    f'{label.shape[1]}x{label.shape[0]} but the image in {self.image_topic} '
                    f'{image.shape[1]}x{image.shape[0]}; they must be of one size'
                )
            yield Sample(stamp_name(stamp), image, label, (stamp - start) / SECOND)
            count += 1
        if not count and limit != 0:
            raise InputError(
                f'{self.path}: none of the {self.frames} images in {self.image_topic} can be '
                f'used: {reason or "they are damaged"}'
            )

    def _pairs(self) -> Iterator[tuple[int, object, object | None]]:
        """Stamp, image message and label message, in the order of the images."""
        waiting: deque[tuple[int, object]] = deque()
        labels: dict[int, object] = {}
        unmatched = 0

        def ready(most: int) -> Iterator[tuple[int, object, object | None]]:
            while waiting and (len(waiting) > most or waiting[0][0] in labels):
                stamp, image = waiting.popleft()
                yield stamp, image, labels.pop(stamp, None)

        topics = {self.image_topic, self.label_topic} - {None}
        window = WINDOW if self.label_topic else 0
        for message in self.messages(topics):
            try:
                decoded = decode(message)
            except InputError as error:
                self._skip(f'logged at {stamp_name(message.time)}', error)
                continue
            if message.topic == self.image_topic:
                waiting.append((stamp_nanoseconds(decoded), decoded))
            else:
                labels[stamp_nanoseconds(decoded)] = decoded
                if len(labels) > 2 * WINDOW:  # the oldest one's image was lost
                    del labels[next(iter(labels))]
                    unmatched += 1
            yield from ready(window)
        yield from ready(0)
        unmatched += len(labels)
        if unmatched:
            LOGGER.warning(
                '%s: %d labels in %s have no image of their stamp within %d frames of them',
                self.path,
                unmatched,
                self.label_topic,
                WINDOW,
            )

    def _skip(self, where: str, error: InputError) -> None:
        self.skipped += 1
        LOGGER.warning('%s: message %s skipped: %s', self.path, where, error)

    @contextmanager
    def _open(self) -> Iterator[Reader]:
        if not self.path.exists():
            raise InputError(f'{self.path}: no such bag')
        try:
            reader = Reader(self.path)
            reader.open()
        except FileNotFoundError as error:
            raise InputError(
                f"{self.path}: not a bag: a bag's folder has a metadata.yaml; if it was lost, "
                'give the .mcap or .db3 file itself'
            ) from error
        except Exception as error:  # see `messages`
            raise InputError(f'{self.path}: no readable bag: {_reason(error)}') from error
        try:
            yield reader
        finally:
            reader.close()

    def _parse_classes(self, custom: dict[str, str]) -> ClassMap | None:
        if CLASSES_KEY not in custom:
            return None
        try:
            return parse_classes(custom[CLASSES_KEY])
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{self.path}: {CLASSES_KEY!r} in the bag's custom data is unusable: {error}"
            ) from error


def decode(message: BagMessage) -> object:
    """The message of an image topic as an object; its arrays are views of the serialized data.

    Raises:
        InputError: the data is no message of its type.
    """
    try:
        return TYPESTORE.deserialize_cdr(message.data, message.kind)
    except Exception as error:  # struct, index, key and encoding errors alike
        raise InputError(f'no readable {message.kind}: {_reason(error)}') from error


def group_by_image(messages: Iterable[BagMessage], image_topic: str) -> Iterator[list[BagMessage]]:
    """Messages in order, each image with all that was logged before it and at its own time."""
    group: list[BagMessage] = []
    image_time = None
    for message in messages:
        is_image = message.topic == image_topic
        if image_time is not None and (is_image or message.time > image_time):
            yield group
            group, image_time = [], None
        if is_image:
            image_time = message.time
        group.append(message)
    if group:
        yield group


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
