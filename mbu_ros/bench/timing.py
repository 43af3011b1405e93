# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Repeated timing: warm-up, fresh inputs, median and tail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mbu_ros.evaluation.latency import percentiles

RUNS = 200
WARM_UP = 10


def summary(milliseconds: Sequence[float]) -> dict:
    """{'p50', 'p95', 'p99', 'runs'} of times; p50 is the median."""
    return {**percentiles(milliseconds), 'runs': len(milliseconds)}


def wall_milliseconds(
    call: Callable[[], object],
    prepare: Callable[[int], object],
    *,
    runs: int = RUNS,
    warm_up: int = WARM_UP,
) -> list[float]:
    """Times of a call that returns when its result is there.

    Args:
        call: what is timed.
        prepare: called with the number of the run before each, and not timed.
        runs, warm_up: calls that are timed, after so many that are not.
    """
    times = []
    for index in range(warm_up + runs):
        prepare(index)
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return times[warm_up:]
