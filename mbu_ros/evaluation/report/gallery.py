# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames that a report shows, gathered while all of them stream by, in bounded memory.

Kept, scaled down: the worst and the best frames, and an even sample over the whole run, for the
animation and for the frames in the middle. Which ones these are follows from the frames alone, not
from the order in which they came nor from how the work was divided: the galleries of parts merge
into the very gallery of the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.evaluation.report.kept_frame import KeptFrame, Place, keep_frame, place_of

TIME_BITS = 64


class Gallery:
    """Gathers frames; `gallery_files` and the page of the report show them.

    Attributes:
        classes: names and colours of the classes.

    Args:
        classes: names and colours of the classes.
        width: frames are scaled down to so many pixels.
        each: how many worst, middle and best frames are shown.
        longest: most frames of the even sample.
    """

    def __init__(
        self, classes: ClassMap, *, width: int = 480, each: int = 2, longest: int = 40
    ) -> None:
        self.classes = classes
        self._width = width
        self._each = each
        self._longest = longest
        # The even sample is the first frame of each span of time of 2**_shift nanoseconds. Spans
        # nest, so the first of a longer one is among the first of those it is made of.
        self._shift = 0
        self._even: dict[tuple[str, int], KeptFrame] = {}
        self._worst: list[KeptFrame] = []
        self._best: list[KeptFrame] = []

    def add(
        self,
        sample: Sample,
        mask: np.ndarray,
        score: float | None = None,
        *,
        sequence: str = '',
    ) -> None:
        """Offer a frame.

        Args:
            sample: its image, its name, its label if it has one, and its stamp or time if known.
            mask: uint8 [H, W] class ids.
            score: how good the mask is, higher is better; None or NaN where unknown.
            sequence: what the frame is part of; names are unique within it.
        """
        score = None if score is None or np.isnan(score) else float(score)
        place = place_of(sample, sequence)
        if self._samples(place) or self._ranks(score, place):
            self._take([keep_frame(sample, mask, score, place, self._width)])

    def merge(self, other: Gallery) -> None:
        """Take in what a gallery of other frames kept; both have the same settings."""
        self._shift = max(self._shift, other._shift)
        self._take([*self._even.values(), *other._kept()])

    def even(self) -> list[KeptFrame]:
        """The sample over the whole run, in order of time; of names, where there is no clock."""
        return sorted(self._even.values(), key=_by_time)

    def chosen(self) -> list[tuple[str, KeptFrame]]:
        """The frames to show: 'worst', 'median' and 'best' ones; '' where no frame has a score."""
        worst = {frame.place for frame in self._worst}
        best = [frame for frame in self._best if frame.place not in worst]
        extremes = worst | {frame.place for frame in best}
        rest = [frame for frame in self.even() if frame.place not in extremes]
        if not extremes:
            return [('', frame) for frame in _spread(rest, 3 * self._each)]
        scored = sorted((frame for frame in rest if frame.score is not None), key=_by_score)
        start = max(0, (len(scored) - self._each) // 2)
        return [
            *(('worst', frame) for frame in self._worst),
            *(('median', frame) for frame in scored[start : start + self._each]),
            *(('best', frame) for frame in best),
        ]

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything it keeps, as arrays without Python objects; see `from_arrays`."""
        frames = self._kept()
        pictures = [
            picture
            for frame in frames
            for picture in (frame.jpeg, frame.mask_png, frame.label_png or b'')
        ]
        heads = [
            {**asdict(frame.place), 'clocked': frame.clocked, 'score': frame.score}
            for frame in frames
        ]
        head = json.dumps({'shift': self._shift, 'frames': heads}).encode()
        return {
            'gallery_head': np.frombuffer(head, np.uint8),
            'gallery_sizes': np.array([len(picture) for picture in pictures], np.int64),
            'gallery_pictures': np.frombuffer(b''.join(pictures), np.uint8),
        }

    @classmethod
    def from_arrays(
        cls, classes: ClassMap, arrays: Mapping[str, np.ndarray], **settings: int
    ) -> Gallery:
        """The gallery that `arrays` was asked of; with the same classes and settings."""
        gallery = cls(classes, **settings)
        head = json.loads(bytes(arrays['gallery_head']))
        gallery._shift = head['shift']
        data = bytes(arrays['gallery_pictures'])
        ends = np.cumsum(arrays['gallery_sizes']).tolist()
        pictures = [data[start:end] for start, end in zip([0, *ends], ends)]
        gallery._take([
            KeptFrame(
                Place(frame['sequence'], frame['time'], frame['name'], frame['turn']),
                frame['clocked'],
                frame['score'],
                pictures[3 * index],
                pictures[3 * index + 1],
                pictures[3 * index + 2] or None,
            )
            for index, frame in enumerate(head['frames'])
        ])
        return gallery

    def _kept(self) -> list[KeptFrame]:
        """Each frame once."""
        frames = (*self._even.values(), *self._worst, *self._best)
        return list({frame.place: frame for frame in frames}.values())

    def _samples(self, place: Place) -> bool:
        first = self._even.get(self._span(place))
        return first is None or place.key < first.place.key

    def _ranks(self, score: float | None, place: Place) -> bool:
        if score is None:
            return False
        rank = (score, place.key)
        return (
            len(self._worst) < self._each
            or rank < _by_score(self._worst[-1])
            or rank > _by_score(self._best[0])
        )

    def _take(self, frames: Sequence[KeptFrame]) -> None:
        scored = [frame for frame in frames if frame.score is not None]
        if scored:
            ranked = _ranked([*self._worst, *self._best, *scored])
            self._worst, self._best = ranked[: self._each], ranked[-self._each :]
        self._thin([*self._even.values(), *frames])

    def _thin(self, frames: Sequence[KeptFrame]) -> None:
        while True:
            self._even = {}
            for frame in sorted(frames, key=_by_place):
                self._even.setdefault(self._span(frame.place), frame)
            if len(self._even) <= self._longest:
                return
            if self._shift == TIME_BITS:  # more sequences than frames to keep
                self._even = dict(sorted(self._even.items())[: self._longest])
                return
            self._shift += 1

    def _span(self, place: Place) -> tuple[str, int]:
        return place.sequence, place.time >> self._shift


def _by_place(frame: KeptFrame) -> tuple[str, int, str, int]:
    return frame.place.key


def _by_time(frame: KeptFrame) -> tuple[str, int, str, int]:
    place = frame.place
    return place.sequence, place.time if frame.clocked else 0, place.name, place.turn


def _by_score(frame: KeptFrame) -> tuple[float, tuple[str, int, str, int]]:
    assert frame.score is not None  # only those are ranked
    return frame.score, frame.place.key


def _ranked(frames: Iterable[KeptFrame]) -> list[KeptFrame]:
    return sorted({frame.place: frame for frame in frames}.values(), key=_by_score)


def _spread(frames: Sequence[KeptFrame], count: int) -> list[KeptFrame]:
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[place] for place in places]
