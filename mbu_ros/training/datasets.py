# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training data in memory: a data tree or generated street scenes, at the network's size."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mbu_ros.data import scenes
from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.data.tree import DataTree, warn_of_stretching
from mbu_ros.errors import InputError
from mbu_ros.imaging.resize import resize_frame, resize_mask


@dataclass(frozen=True)
class Split:
    """Frames and labels, all of one size.

    Attributes:
        images: uint8 [N, H, W, 3], RGB.
        labels: uint8 [N, H, W], 255 where unlabelled.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class TrainingData:
    """What a training run needs to know of its data.

    Attributes:
        name: for people.
        source: where it came from and its terms.
        classes: names and colours.
        train: the split to learn from.
        val: the split that results are of.
        eval_split: which one that is: 'val', or 'test' where that was asked for.
        other_val: the val split where results are of another one, if there is any.
    """

    name: str
    source: str
    classes: ClassMap
    train: Split
    val: Split
    eval_split: str = 'val'
    other_val: Split | None = None

    @property
    def looks(self) -> Split | None:
        """What networks in training are evaluated on: val, never test; None where there is none."""
        return self.val if self.eval_split == 'val' else self.other_val

    @property
    def mean(self) -> tuple[int, int, int]:
        """RGB mean of the training images, rounded."""
        mean = self.train.images.mean(axis=(0, 1, 2), dtype=np.float64)
        return tuple(int(value) for value in np.rint(mean))

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """Names of classes of which the train split has no pixel, so that nobody can learn them."""
        counts = count_labels(self.train.labels)
        return tuple(name for name, count in zip(self.classes.names, counts) if not count)

    def check(self) -> None:
        """Raise InputError where nothing could be learnt: a split without a labelled pixel."""
        for name, split in (
            ('train', self.train),
            (self.eval_split, self.val),
            ('val', self.other_val),
        ):
            if split is not None and not (split.labels < len(self.classes)).any():
                raise InputError(f'{self.name}: the {name} split has no labelled pixel')


def count_labels(labels: np.ndarray) -> np.ndarray:
    """Pixels by label value, int64 [256], of uint8 [N, H, W]."""
    # Frame by frame: NumPy counts in a copy that is eight times as large.
    return sum(
        (np.bincount(frame.ravel(), minlength=256) for frame in labels), np.zeros(256, np.int64)
    )


def load_tree(
    root: Path | str, size: tuple[int, int] | None = None, eval_split: str = 'val'
) -> TrainingData:
    """Read a data tree's train split, and the one to evaluate on, whole.

    Where that is the test split, the val split too, if there is one.

    Args:
        root: the tree.
        size: (height, width) to resize to; the size of the first training image where None.
        eval_split: 'val' or 'test'.

    Raises:
        InputError: the tree or a file in it cannot be used.
    """
    tree = DataTree(root)
    if size is None:
        size = tree.files('train')[0].load(len(tree.classes)).image.shape[:2]
    train, val = (load_split(tree, split, size) for split in ('train', eval_split))
    other = eval_split != 'val' and (tree.root / 'val').exists()
    other_val = load_split(tree, 'val', size) if other else None
    data = TrainingData(
        tree.name, tree.source, tree.classes, train, val, eval_split, other_val
    )
    data.check()
    return data


def load_split(tree: DataTree, split: str, size: tuple[int, int]) -> Split:
    """One split of a data tree, resized to (height, width); see `DataTree.samples` for errors."""
    samples = warn_of_stretching(tree.samples(split), size, f'{tree.name} ({split})')
    return _stack(samples, size)


def render_scenes(
    frames: int,
    val_frames: int,
    size: tuple[int, int] = (240, 320),
    seed: int = 0,
    eval_split: str = 'val',
) -> TrainingData:
    """Render generated street scenes in parallel processes.

    Args:
        frames, val_frames: frames of the train split and of the one to evaluate on, and of the val
            split where that is another; their drives are disjoint.
        size: (height, width).
        seed: of the generator.
        eval_split: 'val' or 'test'.

    Raises:
        InputError: the generator refuses one of these numbers.
    """
    train, val = (
        render_split(split, count, size, seed)
        for split, count in (('train', frames), (eval_split, val_frames))
    )
    other_val = None if eval_split == 'val' else render_split('val', val_frames, size, seed)
    source = f'generated by mbu_ros.data.scenes, seed {seed}'
    classes = ClassMap(scenes.CLASSES, scenes.COLORS)
    return TrainingData('synthetic', source, classes, train, val, eval_split, other_val)


def render_split(split: str, frames: int, size: tuple[int, int], seed: int = 0) -> Split:
    """One split of `render_scenes`, which does not depend on the other.

    Raises:
        InputError: the generator refuses one of these numbers.
    """
    try:
        drives = scenes.split_drives(split, frames, height=size[0], width=size[1], seed=seed)
    except ValueError as error:
        raise InputError(f'these scenes cannot be generated: {error}') from error
    # 'spawn': the parent may hold threads and a GPU, which a forked child must not inherit.
    workers = min(len(drives), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context('spawn')) as pool:
        rendered = list(pool.map(_render_drive, drives))
    return Split(
        np.concatenate([images for images, _ in rendered]),
        np.concatenate([labels for _, labels in rendered]),
    )


def _render_drive(drive: scenes.Drive) -> tuple[np.ndarray, np.ndarray]:
    frames = list(drive)
    return (
        np.stack([frame.image for frame in frames]),
        np.stack([frame.label for frame in frames]),
    )


def _stack(samples: Iterable[Sample], size: tuple[int, int]) -> Split:
    height, width = size
    images, labels = [], []
    for sample in samples:
        images.append(resize_frame(sample.image, height, width))
        labels.append(resize_mask(sample.label, height, width))
    return Split(np.stack(images), np.stack(labels))
