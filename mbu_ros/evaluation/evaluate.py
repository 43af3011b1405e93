# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation of frames: an engine segments each, and the result is counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np

from mbu_ros.data.sample import Sample
from mbu_ros.engine.base import Engine
from mbu_ros.evaluation.accumulator import Evaluation


def evaluate(
    samples: Iterable[Sample],
    engine: Engine,
    evaluation: Evaluation,
    *,
    sequence: str = '',
    against: Engine | None = None,
    warm_up: bool = True,
    keep: Callable[[Sample, np.ndarray], None] = lambda sample, mask: None,
) -> None:
    """Segment samples of one sequence and count them, one frame in memory at a time.

    The latency of a frame is the wall time of `engine.segment`.

    Args:
        samples: frames, with labels or without.
        engine: what to run.
        evaluation: where frames are counted.
        sequence: what the frames are part of.
        against: another model, whose masks are compared with those of `engine`.
        warm_up: segment the first frame once before it counts.
        keep: called with each frame and its mask.

    Raises:
        InputError: a sample is unusable.
    """
    for sample in samples:
        if warm_up:
            engine.segment([sample.image])
            warm_up = False
        start = time.perf_counter()
        (result,) = engine.segment([sample.image])
        latency = (time.perf_counter() - start) * 1e3
        other = None if against is None else against.segment([sample.image])[0].labels
        evaluation.add(
            sample,
            result.labels,
            sequence=sequence,
            latency_ms=latency,
            stages_ms=result.milliseconds,
            other_mask=other,
        )
        keep(sample, result.labels)
