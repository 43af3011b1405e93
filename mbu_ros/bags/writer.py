# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes frames and their labels as a rosbag2 that players, RViz and Foxglove can read."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

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
from mbu_ros.bags.playback import check_rate
from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.errors import InputError

STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
FORMATS = ('raw', 'jpeg')
METADATA_VERSION = 8  # the newest that ROS 2 releases before Kilted read


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
        self._storage = STORAGES[storage]
        self._jpeg = image_format == 'jpeg'
        self._rate_hz = rate_hz
        self._classes = classes
        self._start = time.time_ns() if start is None else start
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        self._refuse_existing()
        with self._report_failure():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Written beside its place and moved at the end: whatever happens, nobody finds half a
            # bag under the name asked for.
            self._folder = Path(
                tempfile.mkdtemp(prefix=f'.{self.path.name}.', dir=self.path.parent)
            )
        self._writer = Writer(
            self._folder / self.path.name,
            version=METADATA_VERSION,
            storage_plugin=self._storage,
        )
        if self._classes is not None:
            self._writer.set_custom_data(CLASSES_KEY, dump_classes(self._classes))
        try:
            with self._report_failure():
                self._writer.open()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None or not self.frames:
                self._writer.abort()
            else:
                with self._report_failure():
                    self._writer.close()
                    self._refuse_existing()
                    os.rename(self._folder / self.path.name, self.path)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        if kind is None and not self.frames:
            raise InputError(f'{self.path}: there was no frame to write, so no bag was made')

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
        with self._report_failure():
            if topic not in self._connections:
                self._connections[topic] = self._writer.add_connection(
                    topic, kind, typestore=TYPESTORE
                )
            data = TYPESTORE.serialize_cdr(message, kind)
            self._writer.write(self._connections[topic], stamp, data)

    def _refuse_existing(self) -> None:
        if self.path.exists():
            raise InputError(f'{self.path}: exists already; remove it or choose another path')

    @contextmanager
    def _report_failure(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, WriterError) as error:
            raise InputError(f'{self.path}: the bag cannot be written: {error}') from error
