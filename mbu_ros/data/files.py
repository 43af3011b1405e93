# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images and labels from files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mbu_ros.data.reading import read_file
from mbu_ros.errors import InputError
from mbu_ros.imaging.jpeg import is_truncated

MAX_FILE_BYTES = 1 << 30
"""Larger files are refused: no image of `imaging.size.MAX_PIXELS` takes as much."""

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')

PNG_LABELS = (
    'labels must be PNG, since lossy formats such as JPEG change class indices; write them again '
    'from what they were made of (converting a JPEG does not bring its indices back)'
)
"""Why, and what to do: the end of a message."""

_TO_GREY = (
    "with Pillow, Image.fromarray(numpy.asarray(Image.open(FILE)).astype('uint8')).save(FILE)"
)
_CHANNELS = {2: 'colours', 4: 'transparency', 6: 'colours and transparency'}


def read_image(path: Path, upright: bool = True) -> np.ndarray:
    """Read an image file as uint8 [H, W, 3] RGB.

    Args:
        path: the file.
        upright: whether to turn the pixels as the file's orientation mark (EXIF) says, as viewers
            do; False gives them as they are stored.

    Raises:
        InputError: the file is missing, cut off or no readable image.
    """
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.cvtColor(_decode(path, _read(path), flags), cv2.COLOR_BGR2RGB)


def read_label(path: Path, classes: int) -> np.ndarray:
    """Read a label file, an 8-bit grey PNG of class indices, as uint8 [H, W].

    Raises:
        InputError: the file is missing, unreadable, of another type, or holds a value that is
            neither a class index nor 255 (unlabelled).
    """
    encoded = _read(path)
    label = _decode(path, encoded, cv2.IMREAD_UNCHANGED)
    _refuse_other_formats(path, encoded[:26].tobytes())
    wrong = label[(label >= classes) & (label != 255)]
    if wrong.size:
        raise InputError(
            f'{path}: label value {int(wrong[0])} is neither one of the {classes} classes '
            f'(0 to {classes - 1}) nor 255 (unlabelled)'
        )
    return label


def list_images(folder: Path) -> list[Path]:
    """Image files directly in a folder, sorted by name.

    Raises:
        InputError: there is no such folder, no image in it, or two images of one stem.
    """
    paths = list(index_images(folder).values())
    if not paths:
        raise InputError(f'{folder}: no image ({", ".join(IMAGE_SUFFIXES)}) in this folder')
    return paths


def index_images(folder: Path) -> dict[str, Path]:
    """Image files directly in a folder by stem, sorted by name; there may be none.

    Raises:
        InputError: there is no such folder, or two of them have one stem, such as a.png and a.jpg.
    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder')
    by_stem: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            other = by_stem.setdefault(path.stem, path)
            if other != path:
                raise InputError(
                    f'{folder}: both {other.name} and {path.name} are there; remove or rename one '
                    'of them, because frames are known by their names without the ending'
                )
    return by_stem


def _refuse_other_formats(path: Path, header: bytes) -> None:
    """Refuse what begins otherwise than an 8-bit grey PNG; OpenCV would change the indices."""
    if not header.startswith(b'\x89PNG'):
        raise InputError(f'{path}: this is no PNG, whatever its name says; {PNG_LABELS}')
    depth, color_type = header[24], header[25]
    if color_type == 3:
        problem = f'a palette; keep its indices, not its colours: {_TO_GREY}'
    elif color_type in _CHANNELS:
        problem = (
            f'{_CHANNELS[color_type]}; save the class index of each pixel in one channel, not '
            'its colour'
        )
    elif depth == 16:
        problem = f'16 bits per pixel; if all its values are below 256: {_TO_GREY}'
    elif depth < 8:
        problem = f'{depth} bits per pixel; save it with 8'
    else:
        return
    raise InputError(f'{path}: a label must be an 8-bit grey PNG, this PNG has {problem}')


def _read(path: Path) -> np.ndarray:
    try:
        return np.frombuffer(read_file(path, MAX_FILE_BYTES), dtype=np.uint8)
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}') from error


def _decode(path: Path, encoded: np.ndarray, flags: int) -> np.ndarray:
    try:
        truncated = is_truncated(encoded.tobytes())
    except InputError as error:
        raise InputError(f'{path}: {error}') from error
    if truncated:
        raise InputError(
            f'{path}: this JPEG is truncated, its end is missing; copy or download it again'
        )
    # imdecode refuses an empty buffer with an assertion, where a broken image gives None.
    try:
        image = cv2.imdecode(encoded, flags) if encoded.size else None
    except cv2.error as error:  # too large: see mbu_ros/__init__.py
        raise InputError(f'{path}: cannot be decoded: {error.err}') from error
    if image is None:
        raise InputError(f'{path}: not an image that OpenCV can decode, or damaged')
    return image
