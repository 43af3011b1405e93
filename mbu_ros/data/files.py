# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images and labels from files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mbu_ros.errors import InputError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def read_image(path: Path) -> np.ndarray:
    """Read an image file as uint8 [H, W, 3] RGB.

    Raises:
        InputError: the file is missing or no readable image.
    """
    image = _decode(path, _read(path), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_label(path: Path, classes: int) -> np.ndarray:
    """Read a label file, an 8-bit single-channel image of class indices, as uint8 [H, W].

    Raises:
        InputError: the file is missing, unreadable, of another type, or holds a value that is
            neither a class index nor 255 (unlabelled).
    """
    encoded = _read(path)
    label = _decode(path, encoded, cv2.IMREAD_UNCHANGED)
    _refuse_few_bits(path, encoded[:25].tobytes())
    if label.ndim != 2 or label.dtype != np.uint8:
        raise InputError(
            f'{path}: a label must be an 8-bit image of one channel, this has shape '
            f'{list(label.shape)} and type {label.dtype}; save class indices, not colours'
        )
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
        InputError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder')
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f'{folder}: no image ({", ".join(IMAGE_SUFFIXES)}) in this folder')
    return paths


def _refuse_few_bits(path: Path, header: bytes) -> None:
    """Refuse a PNG of 1, 2 or 4 bits a pixel: OpenCV scales its values to 0 to 255, unasked."""
    if header.startswith(b'\x89PNG') and header[24] < 8:
        raise InputError(
            f'{path}: a label must have 8 bits per pixel, this PNG has {header[24]}; save it as '
            '8-bit grey'
        )


def _read(path: Path) -> np.ndarray:
    try:
        return np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}') from error


def _decode(path: Path, encoded: np.ndarray, flags: int) -> np.ndarray:
    # imdecode refuses an empty buffer with an assertion, where a broken image gives None.
    try:
        image = cv2.imdecode(encoded, flags) if encoded.size else None
    except cv2.error as error:  # too large: see mbu_ros/__init__.py
        raise InputError(f'{path}: cannot be decoded: {error.err}') from error
    if image is None:
        raise InputError(f'{path}: not an image that OpenCV can decode, or damaged')
    return image
