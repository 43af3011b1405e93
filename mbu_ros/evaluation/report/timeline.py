# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A figure of each frame over the run, reduced to as many points as a chart can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbu_ros.evaluation.frame_record import FrameRecord

POINTS = 400


@dataclass(frozen=True)
class Timeline:
    """Points of a chart, in order.

    Attributes:
        x: float64 [points], in `unit`.
        low, mean, high: float64 [points], over the frames that share a point.
        is_reduced: whether points stand for more than one frame.
        starts: x of where the second and further sequences begin.
        span: least and greatest x of all frames.
        unit: what x counts.
    """

    x: np.ndarray
    low: np.ndarray
    mean: np.ndarray
    high: np.ndarray
    is_reduced: bool
    starts: tuple[float, ...]
    span: tuple[float, float]
    unit: str


def in_sequences(records: Sequence[FrameRecord]) -> list[FrameRecord]:
    """The records, one sequence after the other; a live run mixes those of several cameras."""
    place = {name: i for i, name in enumerate(dict.fromkeys(r.sequence for r in records))}
    return sorted(records, key=lambda record: place[record.sequence])


def timeline(records: Sequence[FrameRecord], name: str, points: int = POINTS) -> Timeline | None:
    """One figure of the records, such as 'miou'; None where no record has it.

    A single sequence whose times go forwards counts seconds, anything else frames.

    Args:
        records: from `in_sequences`.
        name: of an attribute of `FrameRecord`.
        points: most points.
    """
    known = [i for i, record in enumerate(records) if getattr(record, name) is not None]
    if not known:
        return None
    times = [record.time for record in records]
    sequences = [record.sequence for record in records]
    seconds = np.array(times, np.float64)  # NaN where there is no time
    clocked = len(set(sequences)) == 1 and bool(
        (np.diff(seconds) >= 0).all() and seconds[0] < seconds[-1]
    )
    x = seconds if clocked else np.arange(1, len(records) + 1, dtype=np.float64)
    values = np.array([getattr(records[i], name) for i in known], np.float64)
    # Larger and smaller groups alternate, so that no part of the chart looks calmer than another.
    borders = np.linspace(0, len(known), min(points, len(known)) + 1).astype(int)
    groups = [slice(start, stop) for start, stop in zip(borders, borders[1:])]
    return Timeline(
        x=np.array([x[known][group].mean() for group in groups]),
        low=np.array([values[group].min() for group in groups]),
        mean=np.array([values[group].mean() for group in groups]),
        high=np.array([values[group].max() for group in groups]),
        is_reduced=len(groups) < len(known),
        starts=tuple(x[i] - 0.5 for i in range(1, len(x)) if sequences[i] != sequences[i - 1]),
        span=(float(x.min()), float(x.max())),
        unit='seconds' if clocked else 'frames',
    )
