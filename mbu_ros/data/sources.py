# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to make a bag of: a data tree, a folder of images, generated scenes or a video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2

from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.data.scenes import CLASSES, COLORS, Drive, split_drives
from mbu_ros.data.tree import DataTree, LabelledFile, pair_files
from mbu_ros.errors import InputError

DEMO_SEED = 2
"""Seed of the drive shown where nobody asks for another one. `split_drives` gives seeds 3 n + 2 to
the test split, so no shipped model was trained on this drive."""


@dataclass(frozen=True)
class Source:
    """Frames in order.

    Attributes:
        name: what they are, for people.
        samples: the frames; they can be gone through once.
        count: how many there are at most; None where unknown.
        classes: what their labels mean; None where unknown or without labels.
    """

    name: str
    samples: Iterator[Sample]
    count: int | None
    classes: ClassMap | None = None


def tree_source(root: Path | str, split: str, limit: int | None = None) -> Source:
    """A split of a data tree; see `DataTree` for errors."""
    tree = DataTree(root)
    files = tree.files(split, limit)
    samples = _load(files, len(tree.classes))
    return Source(f'{tree.name} ({split})', samples, len(files), tree.classes)


def folder_source(
    images: Path | str, labels: Path | str | None = None, limit: int | None = None
) -> Source:
    """A folder of images and, where given, a folder with a label of the same name for each.

    Without a `dataset.json` nobody knows the number of classes: any label value is allowed. Images
    are turned upright if there are no labels, else as `LabelledFile.load` says.

    Raises:
        InputError: `pair_files` refuses a folder, or a file is unreadable.
    """
    files = pair_files(Path(images), None if labels is None else Path(labels))[:limit]
    return Source(str(images), _load(files, IGNORE), len(files))


def scene_source(
    frames: int,
    *,
    seed: int = DEMO_SEED,
    height: int = 240,
    width: int = 320,
    rate_hz: float = 10.0,
) -> Source:
    """A generated drive through a street, `frames` long, with exact labels.

    Raises:
        InputError: the generator refuses one of these numbers.
    """
    try:
        drive = Drive(seed=seed, frames=frames, height=height, width=width, rate_hz=rate_hz)
    except ValueError as error:
        raise InputError(f'these scenes cannot be generated: {error}') from error
    samples = (
        Sample(f'scene{index:06d}', frame.image, frame.label, frame.time)
        for index, frame in enumerate(drive)
    )
    name = f'generated scenes (seed {seed}, {width}x{height})'
    return Source(name, samples, frames, ClassMap(CLASSES, COLORS))


def scene_split_source(split: str, frames: int) -> Source:
    """`frames` generated scenes of 320x240 of a split, as `mbu train --scenes` uses them.

    They come from many drives, so they are no film.
    """
    drives = split_drives(split, frames)
    samples = (
        Sample(f'drive{drive.seed:06d}_{index:04d}', frame.image, frame.label)
        for drive in drives
        for index, frame in enumerate(drive)
    )
    return Source(f'generated scenes ({split})', samples, frames, ClassMap(CLASSES, COLORS))


def video_source(path: Path | str, limit: int | None = None) -> Source:
    """A video's frames at its own rate.

    Raises:
        InputError: no such file, or OpenCV cannot decode it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such file')
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise InputError(f'{path}: not a video that OpenCV can decode')
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    rate = video.get(cv2.CAP_PROP_FPS)
    samples = islice(_decode(video, path, rate if rate > 0 else None), limit)
    known = [n for n in (count, limit) if n is not None and n > 0]
    return Source(str(path), samples, min(known, default=None))


def _load(files: list[LabelledFile], classes: int) -> Iterator[Sample]:
    return (file.load(classes) for file in files)


def _decode(video: cv2.VideoCapture, path: Path, rate_hz: float | None) -> Iterator[Sample]:
    index = 0
    try:
        while True:
            found, image = video.read()
            if not found:
                break
            time = None if rate_hz is None else index / rate_hz
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            yield Sample(f'{path.stem}{index:06d}', rgb, None, time)
            index += 1
    finally:
        video.release()
    if not index:
        raise InputError(f'{path}: no frame of this video can be decoded')
