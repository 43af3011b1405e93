# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads frames, labels and raw messages from any rosbag2 that `rosbags` reads."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np

from mbu_ros.bags.bag import Bag
from mbu_ros.bags.cameras import usable_cameras
from mbu_ros.bags.format import (
    CLASSES_KEY,
    SECOND,
    parse_classes,
    stamp_name,
    stamp_nanoseconds,
)
from mbu_ros.bags.message import BagMessage, decode, read_label
from mbu_ros.bags.pairing import (
    LABEL_DELAY,
    Labels,
    Stamped,
    check_tolerance,
    neighbourhood,
    pair,
)
from mbu_ros.bags.topics import (
    check_image_topic,
    check_label_topic,
    choose_label_topic,
    list_topics,
)
from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import to_rgb

LOGGER = logging.getLogger(__name__)


class BagReader:
    """A bag's frames, streamed: memory does not grow with the bag. Can be read several times.

    What can be read of a damaged bag is read; `losses` says what could not. That goes for files
    that are cut off, that miss their index or their metadata.yaml, that are still being written,
    and for the missing files of a split bag.

    Args:
        path: a bag's folder, or one .mcap or .db3 file.
        image_topic: the camera; where None, the bag's only image topic that is no result.
        label_topic: its labels (mono8); where None, those that `choose_cameras` would take; ''
            for none.
        label_tolerance: how far a label's stamp may be from its image's, in ns. Images and labels
            are paired where each is the other's nearest.
        label_classes: how many classes labels may show; where None, as many as the bag's custom
            data name, or any if they name none.

    Attributes:
        topics: every topic of the bag by name.
        image_topic, label_topic: the topics read; `label_topic` is None without labels.
        image_kind: message type of `image_topic`.
        frames: number of images in `image_topic`.
        classes: what the labels mean, where the bag says so, else None.
        start, end: log time of the bag's first message, and 1 after that of the last one, ns.
        seekable: whether `samples` can begin in the middle without reading what lies before.
        losses: for people, what could not be read. It may grow while the bag is being read.
        skipped: images that the last reading of `samples` could not use.
        unmatched_labels: labels logged in the span of the last reading of `samples`, less those
            that images of this span took. The sum over spans that adjoin is that of the whole.
        unusable_labels: labels of the last reading of `samples` that are damaged, of another size
            than their image or with values that are no class; their frames went on without one.

    Raises:
        InputError: no such bag, nothing in it can be read, no image in it, or no such topic; the
            text lists the topics that there are.
    """

    def __init__(
        self,
        path: Path | str,
        image_topic: str | None = None,
        label_topic: str | None = None,
        *,
        label_tolerance: int = 0,
        label_classes: int | None = None,
    ) -> None:
        self._bag = Bag(path)
        self.path = self._bag.path
        self.topics = self._bag.topics
        self.start, self.end = self._bag.start, self._bag.end
        self.seekable = self._bag.seekable
        self.losses = self._bag.losses
        self.skipped = self.unmatched_labels = self.unusable_labels = 0
        try:
            check_tolerance(label_tolerance)
            cameras = usable_cameras(self._bag) if None in (image_topic, label_topic) else []
            self.image_topic = image_topic or self._only(cameras)
            check_image_topic(self.topics, self.image_topic)
            if label_topic is None:
                label_topic = choose_label_topic(self.topics, self.image_topic, cameras)
            elif label_topic:
                check_label_topic(self.topics, label_topic)
        except InputError as error:
            raise InputError(f'{self.path}: {error}') from error
        self.label_topic = label_topic or None
        self.image_kind, self.frames = self.topics[self.image_topic]
        self.classes = self._parse_classes(self._bag.custom)
        self._tolerance = label_tolerance
        self._label_classes = label_classes or (len(self.classes) if self.classes else IGNORE)
        self._first_stamp: int | None = None

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[BagMessage]:
        """Messages of these topics (None: all) logged in [start, stop) ns (None: open).

        They come in the order in which they were logged; those of a file without an index, or
        damaged, in the order in which they are stored. What cannot be read is left out and added
        to `losses`.

        Raises:
            InputError: a file that is compressed as a whole cannot be unpacked.
        """
        for connection, time, data in self._bag.messages(topics, start, stop):
            yield BagMessage(connection.topic, connection.msgtype, time, data)

    def samples(
        self, limit: int | None = None, *, start: int | None = None, stop: int | None = None
    ) -> Iterator[Sample]:
        """The camera's frames with their labels, at most `limit`.

        A sample is named after its stamp, 'seconds.nanoseconds', and its time counts from the
        bag's first frame. Frames may be of different sizes. A message that cannot be used is
        logged, counted in `skipped` or `unusable_labels` and left out.

        Args:
            limit: the most frames.
            start, stop: only frames logged in [start, stop) ns (None: open). Their labels are
                found beyond these times, too; images before `start` are not decoded.

        Raises:
            InputError: the bag was to be read whole and no image can be used; or as `messages`.
        """
        self.skipped = self.unmatched_labels = self.unusable_labels = 0
        labels = Labels(self._labels(start, stop), start, stop)
        reason = None
        last = None
        late: list[int] = []
        count = taken = 0
        if limit == 0:
            return
        for image, label in self._pairs(self._images(start, stop), labels):
            last = image.time
            if (start is not None and last < start) or (stop is not None and last >= stop):
                continue
            try:
                pixels = to_rgb(image.message)
            except InputError as error:
                reason = reason or error
                self.skipped += 1
                self._warn(f'image {stamp_name(image.stamp)} skipped', error)
                continue
            finally:
                image.message = None
            ids = None
            if label is not None:
                ids = self._read_label(label, *pixels.shape[:2])
                label.message = None
                taken += 1
                late = [time for time in (*late, label.time) if time > last]
            seconds = (image.stamp - self._origin()) / SECOND
            name = stamp_name(image.stamp)
            yield Sample(name, pixels, ids, seconds, image.stamp, (image.time, image.turn))
            count += 1
            if count == limit:
                logged = labels.logged_until(last)
                break
        else:
            labels.finish()
            logged = labels.logged
            last = None if stop is None else stop - 1
        if limit is not None and last is not None:
            # Nobody counts the labels that are logged after the end, whoever took some of them.
            taken -= sum(time > last for time in late)
        self.unmatched_labels = logged - taken
        if self.unmatched_labels > 0 and (limit, start, stop) == (None, None, None):
            LOGGER.warning(
                '%s: %d labels in %s have no image of their stamp',
                self.path,
                self.unmatched_labels,
                self.label_topic,
            )
        if not count and start is None and stop is None:
            raise InputError(
                f'{self.path}: none of the {self.frames} images in {self.image_topic} can be '
                f'used: {reason or "; ".join(self.losses) or "they are damaged"}'
            )

    def _pairs(
        self, images: Iterator[Stamped], labels: Labels
    ) -> Iterator[tuple[Stamped, Stamped | None]]:
        if self.label_topic is None:  # no image need wait for those that follow
            return ((image, None) for image in images)
        return pair(images, labels, self._tolerance)

    def _images(self, start: int | None, stop: int | None) -> Iterator[Stamped]:
        # Without labels there is nothing to compete for.
        reach = neighbourhood(self._tolerance) if self.label_topic else 0
        before, turn = None, 0
        for time, message in self._decoded(self.image_topic, start, stop, reach):
            before, turn = time, turn + 1 if time == before else 0
            if isinstance(message, InputError):
                if _within(time, start, stop):
                    self.skipped += 1
                    self._warn(f'image logged at {stamp_name(time)} skipped', message)
                continue
            yield Stamped(stamp_nanoseconds(message), time, message, turn)

    def _labels(self, start: int | None, stop: int | None) -> Iterator[Stamped]:
        if self.label_topic is None:
            return
        for time, message in self._decoded(self.label_topic, start, stop, LABEL_DELAY):
            if isinstance(message, InputError):
                if _within(time, start, stop):
                    self.unusable_labels += 1
                    self._warn(f'label logged at {stamp_name(time)} not used', message)
                continue
            yield Stamped(stamp_nanoseconds(message), time, message)

    def _decoded(
        self, topic: str, start: int | None, stop: int | None, around: int
    ) -> Iterator[tuple[int, object]]:
        """Log time and message of all of a topic logged at most so far (ns) around a span.

        A message that cannot be decoded gives the InputError that says why.
        """
        first = None if start is None else start - around
        after = None if stop is None else stop + around + 1
        for message in self.messages({topic}, first, after):
            try:
                yield message.time, decode(message)
            except InputError as error:
                yield message.time, error

    def _read_label(self, label: Stamped, height: int, width: int) -> np.ndarray | None:
        try:
            return read_label(label.message, height, width, self._label_classes)
        except InputError as error:
            self.unusable_labels += 1
            self._warn(f'label {stamp_name(label.stamp)} in {self.label_topic} not used', error)
            return None

    def _origin(self) -> int:
        """Stamp of the bag's first image, from which times of samples count."""
        if self._first_stamp is None:
            found = (message for _, message in self._decoded(self.image_topic, None, None, 0))
            # Those before it that cannot be decoded are counted where their span is read.
            first = next(message for message in found if not isinstance(message, InputError))
            self._first_stamp = stamp_nanoseconds(first)
        return self._first_stamp

    def _only(self, cameras: list[str]) -> str:
        if len(cameras) != 1:
            problem = 'several image topics' if cameras else 'no image topic that can be a camera'
            raise InputError(
                f'{problem}; choose one with --image-topic. {list_topics(self.topics)}'
            )
        return cameras[0]

    def _warn(self, what: str, error: InputError) -> None:
        LOGGER.warning('%s: %s: %s', self.path, what, error)

    def _parse_classes(self, custom: Mapping[str, str]) -> ClassMap | None:
        if CLASSES_KEY not in custom:
            return None
        try:
            return parse_classes(custom[CLASSES_KEY])
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{self.path}: {CLASSES_KEY!r} in the bag's custom data is unusable: {error}"
            ) from error


def _within(time: int, start: int | None, stop: int | None) -> bool:
    return (start is None or time >= start) and (stop is None or time < stop)
