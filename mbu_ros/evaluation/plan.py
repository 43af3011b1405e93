# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Divides a source into parts by rules that know nothing of processes.

The same source gives the same parts on every machine, and so the same report.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mbu_ros.data.sample import ClassMap
from mbu_ros.data.scenes import split_drives
from mbu_ros.data.tree import DataTree
from mbu_ros.errors import InputError
from mbu_ros.evaluation.classes import check_classes
from mbu_ros.evaluation.parts import BagPart, DrivePart, Part, TreePart
from mbu_ros.evaluation.spans import divide, part_size

if TYPE_CHECKING:
    from mbu_ros.bags.cameras import Camera
    from mbu_ros.bags.reader import BagReader


@dataclass(frozen=True)
class PlannedBag:
    """A bag that will be evaluated.

    Attributes:
        path: the bag.
        name: by which reports call it; no two bags of a plan share one.
        folder: for its results within that of all; '' where only one bag was named.
        cameras: those that will be segmented.
    """

    path: Path
    name: str
    folder: str
    cameras: tuple[Camera, ...]


@dataclass(frozen=True)
class Plan:
    """A source, divided.

    Attributes:
        source: what it is, for people.
        parts: in the order in which their results are put together.
        frames: how many there are as far as the source says.
        files: what it is read from; whoever changes one of them changes the result.
        bags: the bags among them.
        notes: for people, what cannot be evaluated.
    """

    source: str
    parts: tuple[Part, ...]
    frames: int
    files: tuple[Path, ...] = ()
    bags: tuple[PlannedBag, ...] = ()
    notes: tuple[str, ...] = ()


def plan_scenes(split: Literal['train', 'val', 'test'], frames: int) -> Plan:
    """`frames` generated scenes of 320x240 of a split, as `mbu train --scenes` uses them."""
    parts = tuple(DrivePart(drive) for drive in split_drives(split, frames))
    return Plan(f'generated scenes ({split})', parts, frames)


def plan_tree(
    root: Path | str, split: str, model_classes: ClassMap, limit: int | None = None
) -> Plan:
    """The first `limit` frames of a split of a data tree.

    Raises:
        InputError: the tree is unusable or has other classes than the model.
    """
    tree = DataTree(root)
    check_classes(tree.classes, model_classes)
    files = tree.files(split, limit)
    size = part_size(len(files))
    parts = tuple(
        TreePart(tree.root, split, start, min(size, len(files) - start))
        for start in range(0, len(files), size)
    )
    paths = [path for file in files for path in (file.image, file.label) if path is not None]
    source = f'{tree.name} ({split})'
    return Plan(source, parts, len(files), (tree.root / 'dataset.json', *paths))


def plan_bags(
    paths: Sequence[Path],
    model_classes: ClassMap,
    *,
    image_topics: Sequence[str] = (),
    label_topics: Sequence[str] = (),
    label_tolerance: int = 0,
    limit: int | None = None,
) -> Plan:
    """Cameras of one or several bags.

    Of several bags, one that cannot be used is left out with a note.

    Args:
        paths: bags, and folders of bags.
        model_classes: what masks will mean.
        image_topics, label_topics: as for `bags.cameras.choose_cameras`.
        label_tolerance: how far a label's stamp may be from its image's, in nanoseconds.
        limit: the first images of each camera only.

    Raises:
        InputError: no bag can be used, or one has other classes than the model.
    """
    from mbu_ros.bags.cameras import choose_cameras, find_bags
    from mbu_ros.bags.reader import BagReader

    found = find_bags(paths)
    bags: list[PlannedBag] = []
    parts: list[Part] = []
    notes: list[str] = []
    frames = 0
    for path, name in zip(found, _names(found)):
        try:
            cameras = choose_cameras(path, image_topics, label_topics)
            readers = [
                BagReader(
                    path,
                    camera.image_topic,
                    camera.label_topic or '',
                    label_tolerance=label_tolerance,
                    label_classes=len(model_classes),
                )
                for camera in cameras
            ]
        except InputError as error:
            if len(found) == 1:
                raise
            notes.append(f'left out: {error}')
            continue
        if not label_topics:
            notes += _unused_labels(name, readers)
        folder = name if len(found) > 1 else ''
        for reader in readers:
            check_classes(reader.classes, model_classes)
            whole = BagPart(
                path=path,
                topic=reader.image_topic,
                label_topic=reader.label_topic or '',
                label_tolerance=label_tolerance,
                classes=len(model_classes),
                sequence=camera_sequence(name, reader.image_topic),
                bag=folder,
                frames=reader.frames if limit is None else min(reader.frames, limit),
                limit=limit,
            )
            parts += divide(whole, reader)
            frames += whole.frames
        bags.append(PlannedBag(path, name, folder, tuple(cameras)))
    if not parts:
        raise InputError('no bag can be used: ' + '; '.join(notes))
    source = bags[0].name if len(bags) == 1 else f'{len(bags)} bags: ' + ', '.join(
        bag.name for bag in bags
    )
    files = [file for bag in bags for file in _files(bag.path)]
    return Plan(source, tuple(parts), frames, tuple(files), tuple(bags), tuple(notes))


def _unused_labels(bag: str, readers: Sequence[BagReader]) -> list[str]:
    """A note on labels that nobody uses since their names fit no camera."""
    from mbu_ros.bags.topics import stray_labels

    used = {reader.label_topic for reader in readers}
    unused = [topic for topic in stray_labels(readers[0].topics) if topic not in used]
    if not unused:
        return []
    return [
        f'{bag}: {", ".join(unused)} not used: the names do not tell to which camera they belong; '
        'say so with --image-topic and --label-topic'
    ]


def camera_sequence(bag: str, image_topic: str) -> str:
    """What reports call the frames of one camera of a bag."""
    return f'{bag}:{image_topic}'


def _names(paths: Sequence[Path]) -> list[str]:
    """The bags' own names, where they differ; else as much of their paths as tells them apart."""
    paths = [path.resolve() for path in paths]
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    top = os.path.commonpath([path.parent for path in paths])
    return [os.path.relpath(path, top) for path in paths]


def _files(path: Path) -> list[Path]:
    """What a bag is read from: its folder may hold other files, such as an earlier report."""
    from mbu_ros.bags.bag import storage_files
    from mbu_ros.bags.metadata import METADATA

    if not path.is_dir():
        return [path]
    stored = storage_files(path)
    # SQLite's log is a part of a file that is still being written.
    beside = [path / METADATA, *(file.with_name(f'{file.name}-wal') for file in stored)]
    return sorted([*stored, *(file for file in beside if file.is_file())])
