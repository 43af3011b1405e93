# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes frames and their labels as a rosbag2 that players, RViz and Foxglove can read."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Connection

from mbu_ros.bags.format import (
    CAMERA_INFO,
    CAMERA_INFO_TOPIC,
    CLASSES_KEY,
    COMPRESSED_IMAGE,
    COMPRESSED_TOPIC,
    IMAGE,
    IMAGE_TOPIC,
    LABEL_TOPIC,
    SECOND,
    TYPESTORE,
    dump_classes,
)
from mbu_ros.bags.messages import (
    make_camera_info,
    make_compressed_image,
    make_header,
    make_image,
)
from mbu_ros.bags.new_bag import STORAGES, new_bag, report_failure
from mbu_ros.bags.playback import check_rate
from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.errors import InputError

FORMATS = ('raw', 'jpeg')


class BagWriter:
    """Writes a new bag; use it in a `with` statement, which finishes the bag or removes it.

    Topics: /camera/image_raw (rgb8) or /camera/image_raw/compressed (JPEG), /camera/label (mono8,
    only frames that have a label) and /camera/camera_info (an ideal pinhole camera). All messages
    of a frame carry one stamp, which is also the time at which they are logged.

    Args:
        path: folder to make; its parents are made too.
        storage: one of `STORAGES`.
        image_format: one of `FORMATS`.
        rate_hz: frames per second, for samples that have no time of their own.
        classes: what the labels mean, kept in the bag's custom data.
        start: stamp of time 0 in nanoseconds since 1970; now where None.

    Raises:
        InputError: the path exists, cannot be written, or no frame was written.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        storage: str = 'mcap',
        image_format: str = 'raw',
        rate_hz: float = 10.0,
        classes: ClassMap | None = None,
        start: int | None = None,
    ) -> None:
        if storage not in STORAGES:
            raise InputError(f'no storage {storage!r}; choose one of {", ".join(STORAGES)}')
        if image_format not in FORMATS:
            raise InputError(
                f'no image format {image_format!r}; choose one of {", ".join(FORMATS)}'
            )
        check_rate(rate_hz)
        self.path = Path(path)
        self.frames = 0
        self._jpeg = image_format == 'jpeg'
        self._rate_hz = rate_hz
        custom = {} if classes is None else {CLASSES_KEY: dump_classes(classes)}
        self._bag = new_bag(self.path, storage, custom)
        self._start = time.time_ns() if start is None else start
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        self._writer = self._bag.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and not self.frames:
            empty = InputError(f'{self.path}: there was no frame to write, so no bag was made')
            self._bag.__exit__(InputError, empty, None)
            raise empty
        self._bag.__exit__(kind, error, trace)

    def write(self, sample: Sample) -> None:
        """Add a frame after those written before.

        Raises:
            InputError: label and image differ in size, or the bag cannot be written.
        """
        if sample.label is not None and sample.label.shape != sample.image.shape[:2]:
            raise InputError(
                f'{sample.name}: the label has shape {list(sample.label.shape)} but its image '
                f'{list(sample.image.shape[:2])}; they must be of one size'
            )
        seconds = self.frames / self._rate_hz if sample.time is None else sample.time
        stamp = self._start + round(seconds * SECOND)
        header = make_header(stamp)
        # The image comes last: a player that pauses after an image has then sent its label, too.
        self._add(CAMERA_INFO_TOPIC, CAMERA_INFO, stamp, make_camera_info(header, sample.image))
        if sample.label is not None:
            self._add(LABEL_TOPIC, IMAGE, stamp, make_image(header, sample.label, 'mono8'))
        if self._jpeg:
            message = make_compressed_image(header, sample.image)
            self._add(COMPRESSED_TOPIC, COMPRESSED_IMAGE, stamp, message)
        else:
            self._add(IMAGE_TOPIC, IMAGE, stamp, make_image(header, sample.image, 'rgb8'))
        self.frames += 1

    def _add(self, topic: str, kind: str, stamp: int, message: object) -> None:
        with report_failure(self.path):
            if topic not in self._connections:
                self._connections[topic] = self._writer.add_connection(
                    topic, kind, typestore=TYPESTORE
                )
            data = TYPESTORE.serialize_cdr(message, kind)
            self._writer.write(self._connections[topic], stamp, data)
