# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which bags a path stands for, and which cameras and labels lie in one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mbu_ros.bags.bag import Bag, storage_files
from mbu_ros.bags.format import COMPRESSED_IMAGE, TYPESTORE
from mbu_ros.bags.metadata import METADATA
from mbu_ros.bags.storage_file import SUFFIXES
from mbu_ros.bags.topics import (
    camera_topics,
    check_image_topic,
    check_label_topic,
    choose_label_topic,
    list_topics,
)
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import ENCODINGS


class Camera(NamedTuple):
    """A camera of a bag."""

    image_topic: str
    label_topic: str | None
    """Its labels; None without."""
    kind: str
    """Message type of `image_topic`: `format.IMAGE` or `format.COMPRESSED_IMAGE`."""
    frames: int
    """Images in `image_topic`."""


def find_bags(paths: Iterable[Path | str]) -> list[Path]:
    """Bags as named, in this order; a folder that is no bag stands for all bags directly in it.

    Those are sorted by name, and a storage file directly in such a folder is a bag, too. A bag
    that is named twice counts once.

    Raises:
        InputError: a path does not exist, or is no bag and no folder with bags.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f'{path}: no such bag')
        bags = [path] if not path.is_dir() or _is_bag(path) else _bags_in(path)
        if not bags:
            raise InputError(
                f'{path}: no bag and no folder of bags; a bag is a folder with a {METADATA}, or '
                f'a file that ends in {", ".join(SUFFIXES)}'
            )
        for bag in bags:
            found.setdefault(bag.resolve(), bag)
    if not found:
        raise InputError('no bag was named')
    return list(found.values())


def choose_cameras(
    path: Path | str, image_topics: Sequence[str] = (), label_topics: Sequence[str] = ()
) -> list[Camera]:
    """The cameras of a bag, each to be read with `BagReader(path, image_topic, label_topic)`.

    Args:
        path: as for `BagReader`.
        image_topics: the ones wanted; without any, all image topics that are no results (labels,
            masks, overlays) and of encodings that the node takes, which depth images are not. A
            camera that is there both raw and compressed counts once, raw.
        label_topics: their labels in the same order, '' for none; without any, the label topic
            that shares most of the camera's namespace, or the bag's only one if it has one camera.

    Raises:
        InputError: as for `BagReader`; more label topics than cameras; or labels that may belong
            to several cameras.
    """
    bag = Bag(path)
    try:
        usable = usable_cameras(bag)
        cameras = list(dict.fromkeys(image_topics)) or usable
        if not cameras:
            raise InputError(f'no image topic that can be a camera. {list_topics(bag.topics)}')
        for camera in cameras:
            check_image_topic(bag.topics, camera)
        if label_topics and len(label_topics) != len(cameras):
            raise InputError(
                f'{len(label_topics)} label topics for {len(cameras)} cameras '
                f'({", ".join(cameras)}); give one for each in the same order, or none'
            )
        labels = [label or None for label in label_topics] or [
            choose_label_topic(bag.topics, camera, usable) for camera in cameras
        ]
        for label in filter(None, labels):
            check_label_topic(bag.topics, label)
    except InputError as error:
        raise InputError(f'{bag.path}: {error}') from error
    return [
        Camera(camera, label, *bag.topics[camera]) for camera, label in zip(cameras, labels)
    ]


def usable_cameras(bag: Bag) -> list[str]:
    """Image topics of all cameras of a bag, sorted; see `choose_cameras`. There may be none."""
    found = camera_topics(bag.topics)
    if len(found) <= 1:
        return found
    # A depth camera sends Images, too. If none can be used, reading them will say why.
    return [topic for topic in found if _is_usable(bag, topic)] or found


def _is_usable(bag: Bag, topic: str) -> bool:
    for connection, _, data in bag.messages({topic}):
        try:
            image = TYPESTORE.deserialize_cdr(data, connection.msgtype)
        except Exception:  # a damaged first message says nothing of the others
            return True
        if connection.msgtype == COMPRESSED_IMAGE:
            return 'compresseddepth' not in image.format.lower()
        return image.encoding in ENCODINGS
    return True


def _is_bag(folder: Path) -> bool:
    """Whether a folder is one bag, perhaps one whose metadata.yaml is missing."""
    if (folder / METADATA).exists():
        return True
    # Files of one recording are named alike: NAME_0.mcap, NAME_1.mcap, ... or NAME.mcap.
    stems = {
        re.sub(r'(_\d+)?\.(mcap|db3).*', '', path.name) for path in storage_files(folder)
    }
    return len(stems) == 1 and not any(map(_is_bag, _folders_in(folder)))


def _bags_in(folder: Path) -> list[Path]:
    return sorted([*filter(_is_bag, _folders_in(folder)), *storage_files(folder)])


def _folders_in(folder: Path) -> list[Path]:
    # A leading dot has what is just being written, such as by `BagWriter`.
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith('.')]
