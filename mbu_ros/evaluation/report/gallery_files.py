# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures that lie beside a report: a sheet of overlays and an animation."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from mbu_ros.evaluation.report.gallery import Gallery
from mbu_ros.evaluation.report.kept_frame import KeptFrame
from mbu_ros.imaging.overlay import Colors, colorize, overlay
from mbu_ros.imaging.sheet import AnimationUnavailable, fit_width, write_animation, write_sheet

SHEET, ANIMATION = 'overlays.png', 'animation.webp'
# 40 frames of a street at 480 pixels: 0.7 MB as WebP, 9.4 MB as APNG, 2.8 MB as GIF.
SHEET_WIDTH = 320
"""Width of one picture of the sheet, in pixels."""

_log = logging.getLogger(__name__)


def write_gallery(folder: Path | str, gallery: Gallery) -> list[Path]:
    """Write the pictures and return their paths; none when there was no frame.

    Where OpenCV cannot write animated pictures, that one is left out with a warning.

    Raises:
        InputError: a file cannot be written.
    """
    folder = Path(folder)
    even = gallery.even()
    if not even:
        return []
    written = [folder / SHEET]
    _write_sheet(written[0], gallery)
    colors = gallery.classes.colors
    frames = [overlay(frame.image(), frame.mask(), colors) for frame in even]
    # An animation has one size; a run may have several cameras.
    frames = [frame for frame in frames if frame.shape == frames[0].shape]
    try:
        write_animation(folder / ANIMATION, frames, milliseconds=150)
        written.append(folder / ANIMATION)
    except AnimationUnavailable as error:
        _log.warning('no animation: %s', error)
    return written


def _write_sheet(path: Path, gallery: Gallery) -> None:
    chosen = gallery.chosen()
    labelled = any(frame.label_png is not None for _, frame in chosen)
    rows, titles = [], []
    for kind, frame in chosen:
        pictures = _pictures(frame, labelled, gallery.classes.colors)
        rows.append([p if p is None else fit_width(p, SHEET_WIDTH) for p in pictures])
        score = '' if frame.score is None else f'{kind}: mIoU {frame.score:.3f}, '
        titles.append(score + frame.title)
    columns = ['image', *(['label'] if labelled else []), 'mask', 'overlay']
    write_sheet(path, rows, columns, titles, gallery.classes)


def _pictures(frame: KeptFrame, labelled: bool, colors: Colors) -> list[np.ndarray | None]:
    image, mask, label = frame.image(), frame.mask(), frame.label()
    painted = None if label is None else colorize(label, colors)
    middle = [painted] if labelled else []
    return [image, *middle, colorize(mask, colors), overlay(image, mask, colors)]
