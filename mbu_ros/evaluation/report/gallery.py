# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a report, gathered while frames stream by, in bounded memory.

Kept, scaled down: the worst and the best frames so far, and an even sample over the whole run, for
the animation and for the frames in the middle.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mbu_ros.data.sample import ClassMap
from mbu_ros.imaging.overlay import colorize, overlay
from mbu_ros.imaging.sheet import AnimationUnavailable, fit_width, write_animation, write_sheet

SHEET, ANIMATION = 'overlays.png', 'animation.webp'
# 40 frames of a street at 480 pixels: 0.7 MB as WebP, 9.4 MB as APNG, 2.8 MB as GIF.
SHEET_WIDTH = 320
"""Width of one picture of the sheet, in pixels; those of the animation are `width`."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Frame:
    index: int
    name: str
    score: float | None
    image: np.ndarray
    mask: np.ndarray
    label: np.ndarray | None


class Gallery:
    """Gathers frames; `write` makes the overlay sheet and the animation.

    Args:
        classes: names and colours of the classes.
        width: frames are scaled down to so many pixels.
        each: how many worst, middle and best frames the sheet shows.
        longest: most frames of the animation.
    """

    def __init__(
        self, classes: ClassMap, *, width: int = 480, each: int = 2, longest: int = 40
    ) -> None:
        self._classes = classes
        self._width = width
        self._each = each
        self._longest = longest
        self._count = 0
        self._stride = 1
        self._even: list[_Frame] = []
        self._worst: list[_Frame] = []
        self._best: list[_Frame] = []

    def add(
        self,
        name: str,
        image: np.ndarray,
        mask: np.ndarray,
        label: np.ndarray | None = None,
        score: float | None = None,
    ) -> None:
        """Offer a frame.

        Args:
            name: its caption.
            image: uint8 [H, W, 3] RGB.
            mask, label: uint8 [H, W] class ids; the label is None where the frame has none.
            score: how good the mask is, higher is better; None or NaN where unknown.
        """
        score = None if score is None or np.isnan(score) else score
        index, self._count = self._count, self._count + 1
        sampled = index % self._stride == 0
        if not (sampled or self._ranks(score)):
            return
        small = None if label is None else fit_width(label, self._width)
        frame = _Frame(
            index, name, score, fit_width(image, self._width), fit_width(mask, self._width), small
        )
        if sampled:
            self._even.append(frame)
            if len(self._even) > self._longest:
                self._even, self._stride = self._even[::2], self._stride * 2
        if score is not None:
            self._worst = sorted([*self._worst, frame], key=_by_score)[: self._each]
            self._best = sorted([*self._best, frame], key=_by_score)[-self._each :]

    def write(self, folder: Path | str) -> list[Path]:
        """Write the pictures and return their paths; none when there was no frame.

        Where OpenCV cannot write animated pictures, that one is left out with a warning.

        Raises:
            InputError: a file cannot be written.
        """
        if not self._even:
            return []
        folder = Path(folder)
        written = [folder / SHEET]
        self._write_sheet(folder / SHEET)
        shape = self._even[0].image.shape
        frames = [self._overlay(f) for f in self._even if f.image.shape == shape]
        try:
            write_animation(folder / ANIMATION, frames, milliseconds=150)
            written.append(folder / ANIMATION)
        except AnimationUnavailable as error:
            _log.warning('no animation: %s', error)
        return written

    def _ranks(self, score: float | None) -> bool:
        if score is None:
            return False
        return (
            len(self._worst) < self._each
            or score < self._worst[-1].score
            or score > self._best[0].score
        )

    def _chosen(self) -> list[tuple[str, _Frame]]:
        extremes = {frame.index for frame in (*self._worst, *self._best)}
        rest = [frame for frame in self._even if frame.index not in extremes]
        scored = sorted((frame for frame in rest if frame.score is not None), key=_by_score)
        if not extremes:
            return [('', frame) for frame in _spread(rest, 3 * self._each)]
        start = max(0, (len(scored) - self._each) // 2)
        middle = scored[start : start + self._each]
        worst = {frame.index for frame in self._worst}
        best = [frame for frame in self._best if frame.index not in worst]
        return [
            *(('worst', frame) for frame in self._worst),
            *(('median', frame) for frame in middle),
            *(('best', frame) for frame in best),
        ]

    def _write_sheet(self, path: Path) -> None:
        chosen = self._chosen()
        labelled = any(frame.label is not None for _, frame in chosen)
        colors = self._classes.colors
        rows, titles = [], []
        for kind, frame in chosen:
            label = None if frame.label is None else colorize(frame.label, colors)
            mask = colorize(frame.mask, colors)
            middle = [label, mask] if labelled else [mask]
            row = [frame.image, *middle, self._overlay(frame)]
            rows.append([p if p is None else fit_width(p, SHEET_WIDTH) for p in row])
            score = '' if frame.score is None else f'{kind}: mIoU {frame.score:.3f}, '
            titles.append(score + frame.name)
        columns = ['image', *(['label'] if labelled else []), 'mask', 'overlay']
        write_sheet(path, rows, columns, titles, self._classes)

    def _overlay(self, frame: _Frame) -> np.ndarray:
        return overlay(frame.image, frame.mask, self._classes.colors)


def _by_score(frame: _Frame) -> float:
    return frame.score


def _spread(frames: Sequence[_Frame], count: int) -> list[_Frame]:
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[place] for place in places]
