# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of the frames of a run: all that a report is made of, gathered frame by frame.

`Evaluation` is shared by offline and live runs. It keeps a few numbers per frame, and pictures of
a bounded number of frames. Pixels are counted in integers, and a frame's figures depend on this
frame and the one before it alone, so that the evaluations of parts merge into that of the whole.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.errors import InputError
from mbu_ros.evaluation.boundary import TOLERANCES, BoundaryCounts
from mbu_ros.evaluation.frame_record import FrameRecord
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.evaluation.report.gallery import Gallery
from mbu_ros.evaluation.stability import StabilityCounts

SECOND = 10**9


class End(NamedTuple):
    """The first or last frame of a sequence so far, for the frame that comes before or after it."""

    record: int
    """Its place in `Evaluation.records`."""
    mask: np.ndarray
    label: np.ndarray | None


class Evaluation:
    """What is known of the frames so far.

    Args:
        classes: what mask and label values mean.
        boundary: tolerances of the boundary F1 in pixels; empty: not measured.
        pictures: whether to gather frames for the report's pictures.
        against: whether frames come with another model's mask.

    Attributes:
        classes: as given.
        confusion: of all labelled pixels.
        boundary: of all labelled frames; None where not measured.
        stability: of all pairs of consecutive frames of a film, that is of frames with a time.
        agreement: the other model's masks in the place of labels; None without another model.
        records: figures of each frame that got a mask, in the order of `add`.
        labelled: how many of them had a label, by sequence.
        stages: milliseconds of each frame by stage, in running order.
        gallery: frames for pictures; None where not gathered.
        by_sequence: `confusion` of each sequence, in the order in which they came.
        first, last: the ends of each sequence that is a film.
    """

    def __init__(
        self,
        classes: ClassMap,
        *,
        boundary: Sequence[int] = TOLERANCES,
        pictures: bool = False,
        against: bool = False,
    ) -> None:
        self.classes = classes
        self.confusion = ConfusionMatrix(len(classes))
        self.boundary = BoundaryCounts(len(classes), boundary) if boundary else None
        self.stability = StabilityCounts()
        self.agreement = ConfusionMatrix(len(classes)) if against else None
        self.records: list[FrameRecord] = []
        self.labelled: Counter[str] = Counter()
        self.stages: dict[str, list[float]] = {}
        self.gallery = Gallery(classes) if pictures else None
        self.by_sequence: dict[str, ConfusionMatrix] = {}
        self.first: dict[str, End] = {}
        self.last: dict[str, End] = {}

    @property
    def labelled_frames(self) -> int:
        """How many frames had a label, be it one without a single labelled pixel."""
        return self.labelled.total()

    def add(
        self,
        sample: Sample,
        mask: np.ndarray,
        *,
        sequence: str = '',
        latency_ms: float | None = None,
        stages_ms: Mapping[str, float] | None = None,
        other_mask: np.ndarray | None = None,
    ) -> None:
        """Count one frame and its mask, after the frames before it in its sequence.

        Args:
            sample: image, label if there is one, name, stamp and time. The time of a sample with
                a stamp is counted anew, from the first stamp of its sequence.
            mask: uint8 [H, W], class ids.
            sequence: what the frame is part of, such as one camera of one bag.
            latency_ms: of this frame.
            stages_ms: the same by stage.
            other_mask: the other model's mask, uint8 [H, W], with `against`.

        Raises:
            InputError: its label has another size, or a value that is no class. Nothing of the
                frame is counted then.
        """
        figures: dict[str, Any] = {'latency_ms': latency_ms, 'logged': sample.logged}
        confusion = ConfusionMatrix(len(self.classes))
        if sample.label is not None:
            try:
                confusion.add(sample.label, mask)
            except InputError as error:
                raise InputError(f'frame {sample.name}: {error}') from error
            self.labelled[sequence] += 1
            figures['pixel_accuracy'] = _defined(confusion.pixel_accuracy())
            figures['miou'] = _defined(confusion.miou())
        self._count(sequence, confusion)
        if self.boundary is not None:
            figures['boundary_f1'] = self._add_boundary(self.boundary, sample.label, mask)
        if other_mask is not None and self.agreement is not None:
            figures['agreement'] = self._add_agreement(self.agreement, other_mask, mask)
        self.records.append(
            FrameRecord(sequence, sample.name, sample.stamp, sample.time, **figures)
        )
        for stage, milliseconds in (stages_ms or {}).items():
            self.stages.setdefault(stage, []).append(milliseconds)
        if self.gallery is not None:
            self.gallery.add(sample, mask, self.records[-1].miou, sequence=sequence)
        if sample.time is not None or sample.stamp is not None:
            # A copy: an engine may hand out its own memory, which the next frame overwrites.
            self._follow(sequence, End(len(self.records) - 1, mask.copy(), sample.label))

    def interrupt(self, sequence: str) -> None:
        """Say that frames without a mask lie between the last frame of a sequence and its next."""
        if sequence in self.last:
            # What has another size is compared with nothing.
            nothing = np.zeros((0, 0), np.uint8)
            self.last[sequence] = self.last[sequence]._replace(mask=nothing, label=None)

    def merge(self, other: Evaluation) -> None:
        """Count another evaluation's frames after the own ones, as if each had been added.

        Both must have been made with the same arguments. The other is used up by this.
        """
        offset = len(self.records)
        self.records += other.records
        for sequence, confusion in other.by_sequence.items():
            self._count(sequence, confusion)
        if self.boundary is not None and other.boundary is not None:
            self.boundary = self.boundary + other.boundary
        if self.agreement is not None and other.agreement is not None:
            self.agreement = self.agreement + other.agreement
        self.stability = self.stability + other.stability
        self.labelled += other.labelled
        for stage, values in other.stages.items():
            self.stages.setdefault(stage, []).extend(values)
        if self.gallery is not None and other.gallery is not None:
            self.gallery.merge(other.gallery)
        known = set(self.first)
        for sequence, first in other.first.items():
            self._follow(sequence, first._replace(record=first.record + offset))
            last = other.last[sequence]
            self.last[sequence] = last._replace(record=last.record + offset)
        self._count_times_anew(range(offset, len(self.records)), known)

    def save(self, path: Path | str) -> None:
        """Write everything to a file for `load`; see `evaluation_file.save_evaluation`."""
        # Late: that module makes objects of this one.
        from mbu_ros.evaluation.evaluation_file import save_evaluation

        save_evaluation(path, self)

    @classmethod
    def load(cls, path: Path | str) -> Evaluation:
        """The evaluation that was saved; see `evaluation_file.load_evaluation`."""
        from mbu_ros.evaluation.evaluation_file import load_evaluation

        return load_evaluation(path)

    def _count(self, sequence: str, confusion: ConfusionMatrix) -> None:
        self.confusion = self.confusion + confusion
        before = self.by_sequence.get(sequence)
        self.by_sequence[sequence] = confusion if before is None else before + confusion

    def _add_boundary(
        self, total: BoundaryCounts, label: np.ndarray | None, mask: np.ndarray
    ) -> tuple[float | None, ...]:
        frame = BoundaryCounts(len(self.classes), total.tolerances)
        if label is not None:
            frame.add(label, mask)
            self.boundary = total + frame
        return tuple(_defined(f1) for f1 in frame.mean_f1().tolist())

    def _add_agreement(
        self, total: ConfusionMatrix, other_mask: np.ndarray, mask: np.ndarray
    ) -> float | None:
        frame = ConfusionMatrix(len(self.classes))
        frame.add(other_mask, mask)
        self.agreement = total + frame
        return _defined(frame.pixel_accuracy())

    def _follow(self, sequence: str, end: End) -> None:
        """Take `end` for the next frame of its sequence: its stability, and its time."""
        before = self.last.get(sequence)
        self.last[sequence] = end
        if before is None:
            self.first[sequence] = end
        else:
            pair = StabilityCounts.of_pair(before.mask, end.mask, before.label, end.label)
            self.stability = self.stability + pair
            self.records[end.record] = replace(
                self.records[end.record], flicker=pair.flicker(), change=pair.change()
            )
        self._count_times_anew([end.record], {sequence})

    def _count_times_anew(self, places: Iterable[int], sequences: set[str]) -> None:
        """Times of frames with a stamp, those of these sequences, from the sequence's first on."""
        for place in places:
            record = self.records[place]
            if record.stamp is None or record.sequence not in sequences:
                continue
            start = self.records[self.first[record.sequence].record].stamp
            if start is not None:
                time = (record.stamp - start) / SECOND
                self.records[place] = replace(record, time=time)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
