# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A data tree: ROOT/{train,val,test}/{images,labels} with ROOT/dataset.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.data.files import IMAGE_SUFFIXES, list_images, read_image, read_label
from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.errors import InputError

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class LabelledFile:
    """Paths of one image and its label; the label is None where a folder has no labels."""

    image: Path
    label: Path | None

    def load(self, classes: int) -> Sample:
        """Read both.

        Raises:
            InputError: a file is unreadable, a label value is out of range, or sizes differ.
        """
        image = read_image(self.image)
        label = None
        if self.label is not None:
            label = read_label(self.label, classes)
            if label.shape != image.shape[:2]:
                raise InputError(
                    f'{self.label}: the label is {label.shape[1]}x{label.shape[0]} but its image '
                    f'{image.shape[1]}x{image.shape[0]}; they must be of one size'
                )
        return Sample(self.image.stem, image, label)


class DataTree:
    """A labelled data set on disk.

    `dataset.json` holds `name`, `classes` (names) and `colors` (RGB triples, one per class), and
    may hold `ignore_index` (255, the only value allowed) and `source`.

    Attributes:
        root: its folder.
        name: its name.
        classes: names and colours of its classes.
        source: where the data came from and its terms, for model cards; may be empty.

    Raises:
        InputError: `dataset.json` is missing or unusable.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        path = self.root / 'dataset.json'
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
        except OSError as error:
            raise InputError(
                f'{path}: cannot be read: {error.strerror}; a data tree is '
                'ROOT/{train,val,test}/{images,labels} with ROOT/dataset.json'
            ) from error
        except ValueError as error:
            raise InputError(f'{path}: not valid JSON: {error}') from error
        self.classes = _class_map(path, content)
        self.name = str(content.get('name', self.root.name))
        self.source = str(content.get('source', ''))

    def files(self, split: str, limit: int | None = None) -> list[LabelledFile]:
        """Images of a split with their labels, sorted by name, at most `limit`.

        Raises:
            InputError: no such split, no image in it, or an image without a label.
        """
        if split not in SPLITS:
            raise InputError(f'no split {split!r}; choose one of {", ".join(SPLITS)}')
        return pair_files(self.root / split / 'images', self.root / split / 'labels')[:limit]

    def samples(self, split: str, limit: int | None = None) -> Iterator[Sample]:
        """Read a split frame by frame; see `files` and `LabelledFile.load` for errors."""
        for file in self.files(split, limit):
            yield file.load(len(self.classes))


def pair_files(images: Path, labels: Path | None) -> list[LabelledFile]:
    """Pair each image of a folder with the label of the same stem in another.

    Raises:
        InputError: a folder is missing, has no image, or an image has no label.
    """
    paths = list_images(images)
    if labels is None:
        return [LabelledFile(path, None) for path in paths]
    if not labels.is_dir():
        raise InputError(f'{labels}: no such folder')
    by_stem = {p.stem: p for p in labels.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES}
    missing = [path.name for path in paths if path.stem not in by_stem]
    if missing:
        raise InputError(
            f'{labels}: no label for {missing[0]}'
            + (f' and {len(missing) - 1} more images' if len(missing) > 1 else '')
            + "; a label has its image's name and is a PNG"
        )
    return [LabelledFile(path, by_stem[path.stem]) for path in paths]


def _class_map(path: Path, content: object) -> ClassMap:
    if not isinstance(content, dict):
        raise InputError(f'{path}: must be an object with "classes" and "colors"')
    names, colors = content.get('classes'), content.get('colors')
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise InputError(f'{path}: "classes" must be a list of names')
    if len(names) >= IGNORE:
        raise InputError(f'{path}: {len(names)} classes; at most {IGNORE - 1} fit in 8-bit labels')
    if content.get('ignore_index', IGNORE) != IGNORE:
        raise InputError(
            f'{path}: "ignore_index" is {content["ignore_index"]}; unlabelled pixels must be '
            f'{IGNORE}, relabel them'
        )
    if not isinstance(colors, list) or len(colors) != len(names):
        raise InputError(f'{path}: "colors" must be a list of {len(names)} RGB triples')
    for color in colors:
        if (
            not isinstance(color, list)
            or len(color) != 3
            or not all(isinstance(v, int) and 0 <= v <= 255 for v in color)
        ):
            raise InputError(f'{path}: colour {color} is not three integers from 0 to 255')
    return ClassMap(tuple(names), tuple(tuple(color) for color in colors))
