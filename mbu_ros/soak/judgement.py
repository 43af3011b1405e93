# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does a quantity grow, beyond noise?

What a process takes is no straight line with Gaussian noise: it goes up in steps, keeps what it
freed, and single samples stand out. So the samples after the warm-up are cut into segments, of
which each counts with its median; of those

    growth   is the slope of Theil and Sen (the median of the slopes of all pairs) times the length;
    p        is the chance of so many pairs that rise, by the test of Mann and Kendall (one-sided,
             with the correction for ties), if there were no trend.

A quantity grows if p is small and the growth is larger than the grain of its measurement. Either
alone is no reason: a trend may be certain and tiny, and noise may be large and mean nothing. A
single step early on is no growth, since the median of the slopes is zero then; one in the middle
is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbu_ros.soak.quantities import Quantity

LONGEST_WARM_UP_SECONDS = 300.0
WARM_UP_SHARE = 1 / 3
SEGMENTS = 20
FEWEST_SAMPLES = 10
"""After the warm-up; of fewer no trend can be told from chance."""
CHANCE = 0.01
"""Of a verdict of growth where there is none, for each quantity."""


@dataclass(frozen=True)
class Verdict:
    """What became of one quantity.

    Attributes:
        first, last: medians of the first and of the last segment.
        growth: over the time that was judged, in the quantity's unit.
        limit: growth up to which nothing is said.
        p: see above.
        grows: whether it does, so that the soak fails.
    """

    first: float
    last: float
    growth: float
    limit: float
    p: float
    grows: bool


def warm_up(seconds: float) -> float:
    """How much of a run of so many seconds is not judged, in seconds."""
    return min(LONGEST_WARM_UP_SECONDS, seconds * WARM_UP_SHARE)


def judge(
    quantity: Quantity, times: Sequence[float], values: Sequence[float | None], begin: float
) -> Verdict | None:
    """Judge the samples of a quantity.

    Args:
        times: of the samples, in seconds, ascending.
        values: None where there was nothing to measure.
        begin: samples before are not judged, in seconds.

    Returns:
        None where there are fewer than `FEWEST_SAMPLES`.
    """
    known = [(t, v) for t, v in zip(times, values) if v is not None and t >= begin]
    if len(known) < FEWEST_SAMPLES:
        return None
    segments = np.array_split(np.array(known, np.float64), min(SEGMENTS, len(known)))
    when, level = np.array([np.median(segment, axis=0) for segment in segments]).T
    growth = _slope(when, level) * float(known[-1][0] - known[0][0])
    limit = max(quantity.floor, quantity.share * abs(float(np.median(level))))
    p = _chance_of_rise(level)
    return Verdict(
        float(level[0]), float(level[-1]), growth, limit, p, growth > limit and p < CHANCE
    )


def _pairs(values: np.ndarray) -> np.ndarray:
    """Later minus earlier, of all pairs."""
    first, second = np.triu_indices(len(values), 1)
    return values[second] - values[first]


def _slope(when: np.ndarray, level: np.ndarray) -> float:
    return float(np.median(_pairs(level) / _pairs(when)))


def _chance_of_rise(level: np.ndarray) -> float:
    n = len(level)
    score = float(np.sign(_pairs(level)).sum())
    _, ties = np.unique(level, return_counts=True)
    variance = _spread(n) - sum(_spread(int(count)) for count in ties)
    if score <= 0 or variance <= 0:
        return 1.0
    # With the correction of a half step at each side, since the score is a whole number.
    return 0.5 * math.erfc((score - 1) / math.sqrt(2 * variance))


def _spread(n: int) -> float:
    return n * (n - 1) * (2 * n + 5) / 18
