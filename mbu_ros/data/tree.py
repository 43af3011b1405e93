# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A data tree: ROOT/{train,val,test}/{images,labels} with ROOT/dataset.json."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.data.files import PNG_LABELS, index_images, list_images, read_image, read_label
from mbu_ros.data.reading import MAX_JSON_BYTES, read_file
from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.errors import InputError

LOGGER = logging.getLogger(__name__)

SPLITS = ('train', 'val', 'test')

MAX_NAME_BYTES = 200
"""Longest name of a data set; file systems take 255, and a network's name and ending follow."""

MAX_STRETCH = 0.01
"""How far a frame's aspect ratio may be from another's, relative to it, and count as the same."""

_TURNED = (
    ' (orientation marks of images are not followed; if this image has one, draw the label on the '
    'pixels as they are stored, or save the image turned and without the mark)'
)


@dataclass(frozen=True)
class LabelledFile:
    """Paths of one image and its label; the label is None where a folder has no labels."""

    image: Path
    label: Path | None

    def load(self, classes: int) -> Sample:
        """Read both.

        An image that has a label is read as its pixels are stored: an orientation mark (EXIF) is
        not followed, because labels have none and would not turn with it. Labels must be drawn on
        the stored pixels, too. An image without a label is turned upright.

        Raises:
            InputError: a file is unreadable, a label value is out of range, or sizes differ.
        """
        image = read_image(self.image, upright=self.label is None)
        label = None
        if self.label is not None:
            label = read_label(self.label, classes)
            if label.shape != image.shape[:2]:
                raise InputError(
                    f'{self.label}: the label is {label.shape[1]}x{label.shape[0]} but its image '
                    f'{image.shape[1]}x{image.shape[0]}; they must be of one size'
                    + (_TURNED if label.shape == image.shape[1::-1] else '')
                )
        return Sample(self.image.stem, image, label)


class DataTree:
    """A labelled data set on disk.

    `dataset.json` holds `name` (a plain file name, since models are named after it; the folder's
    name where missing), `classes` (names, all different) and `colors` (RGB triples, one per class),
    and may hold `ignore_index` (255, the only value allowed) and `source`.

    Labels are 8-bit grey PNG files of class indices with the name of their image. Pixels are those
    that are stored: orientation marks (EXIF) of images are not followed.

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
            content = json.loads(read_file(path, MAX_JSON_BYTES).decode())
        except OSError as error:
            raise InputError(
                f'{path}: cannot be read: {error.strerror}; a data tree is '
                'ROOT/{train,val,test}/{images,labels} with ROOT/dataset.json'
            ) from error
        except (ValueError, RecursionError) as error:
            raise InputError(f'{path}: not valid JSON: {error}') from error
        self.classes = _class_map(path, content)
        self.name = _name(path, content)
        self.source = str(content.get('source', '')).encode('utf-8', 'replace').decode()
        self._files: dict[str, list[LabelledFile]] = {}

    def files(self, split: str, limit: int | None = None) -> list[LabelledFile]:
        """Images of a split with their labels, sorted by name, at most `limit`.

        The folders are listed once; see `pair_files`.

        Raises:
            InputError: no such split, or `pair_files` refuses it.
        """
        if split not in SPLITS:
            raise InputError(f'no split {split!r}; choose one of {", ".join(SPLITS)}')
        if split not in self._files:
            folder = self.root / split
            self._files[split] = pair_files(folder / 'images', folder / 'labels')
        return self._files[split][:limit]

    def samples(self, split: str, limit: int | None = None) -> Iterator[Sample]:
        """Read a split frame by frame; see `files` and `LabelledFile.load` for errors."""
        for file in self.files(split, limit):
            yield file.load(len(self.classes))


def pair_files(images: Path, labels: Path | None) -> list[LabelledFile]:
    """Pair each image of a folder with the label of the same stem in another.

    Labels without an image are logged as a warning.

    Raises:
        InputError: a folder is missing or has no image, an image has no label, a label is no PNG,
            or two files of a folder have one stem.
    """
    paths = list_images(images)
    if labels is None:
        return [LabelledFile(path, None) for path in paths]
    by_stem = index_images(labels)
    missing = [path.name for path in paths if path.stem not in by_stem]
    if missing:
        raise InputError(
            f'{labels}: no label for {missing[0]}'
            + (f' and {len(missing) - 1} more images' if len(missing) > 1 else '')
            + "; a label has its image's name and is a PNG"
        )
    files = [LabelledFile(path, by_stem.pop(path.stem)) for path in paths]
    other = [file.label.name for file in files if file.label.suffix.lower() != '.png']
    if other:
        more = f' and {len(other) - 1} more labels' if len(other) > 1 else ''
        raise InputError(f'{labels}: {other[0]}{more}: {PNG_LABELS}')
    if by_stem:
        LOGGER.warning(
            '%s: labels without an image, which are not used: %d, such as %s',
            labels,
            len(by_stem),
            min(by_stem.values()).name,
        )
    return files


def warn_of_stretching(
    samples: Iterable[Sample], size: tuple[int, int], name: str
) -> Iterator[Sample]:
    """Pass samples on; after the last, log one warning if resizing all to one size stretches some.

    Args:
        samples: the frames.
        size: the (height, width) that they will be resized to.
        name: what they are, for the text.
    """
    height, width = size
    total = stretched = 0
    example = ''
    for sample in samples:
        total += 1
        frame_height, frame_width = sample.image.shape[:2]
        if abs(frame_width * height / (frame_height * width) - 1) > MAX_STRETCH:
            stretched += 1
            example = example or f'{sample.name} of {frame_width}x{frame_height}'
        yield sample
    if stretched:
        LOGGER.warning(
            '%s: %d of %d frames have another aspect ratio than %dx%d and are stretched to it, '
            'such as %s; crop or pad frames to one aspect ratio if they should keep their shape',
            name,
            stretched,
            total,
            width,
            height,
            example,
        )


def _name(path: Path, content: dict) -> str:
    """The data set's name; refused early, where a model could not be saved under it hours later."""
    name = content.get('name', path.parent.resolve().name)
    if (
        not isinstance(name, str)
        or not name.strip()
        or name.startswith('.')
        or '/' in name
        or '\\' in name
        or not name.isprintable()
        or len(name.encode()) > MAX_NAME_BYTES
    ):
        raise InputError(
            f'{path}: "name" is {name!r}, but models are named after it: it must be a plain file '
            f'name of at most {MAX_NAME_BYTES} bytes, without slashes or a dot at its start'
        )
    return name


def _is_text(value: object) -> bool:
    """Whether it is text that can be written; JSON may hold half a surrogate pair."""
    return isinstance(value, str) and value == value.encode('utf-8', 'replace').decode()


def _class_map(path: Path, content: object) -> ClassMap:
    if not isinstance(content, dict):
        raise InputError(f'{path}: must be an object with "classes" and "colors"')
    names, colors = content.get('classes'), content.get('colors')
    if not isinstance(names, list) or not names or not all(_is_text(name) for name in names):
        raise InputError(f'{path}: "classes" must be a list of names')
    if len(names) >= IGNORE:
        raise InputError(f'{path}: {len(names)} classes; at most {IGNORE - 1} fit in 8-bit labels')
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f'{path}: "classes" has {", ".join(map(repr, repeated))} more than once; results are '
            'given by name, so give each class its own'
        )
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
            or not all(type(v) is int and 0 <= v <= 255 for v in color)  # true is no colour
        ):
            raise InputError(f'{path}: colour {color} is not three integers from 0 to 255')
    return ClassMap(tuple(names), tuple(tuple(color) for color in colors))
