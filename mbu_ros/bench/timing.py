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


def timed_runs(
    call: Callable[[], float],
    prepare: Callable[[int], object],
    *,
    runs: int = RUNS,
    warm_up: int = WARM_UP,
) -> list[float]:
    """Times that a call measures itself, in milliseconds.

    Args:
        call: returns its time.
        prepare: called with the number of the run before each, to give it a fresh input.
        runs, warm_up: calls whose time counts, after so many whose time does not.
    """
    times = []
    for index in range(warm_up + runs):
        prepare(index)
        times.append(call())
    return times[warm_up:]


def wall_milliseconds(
    call: Callable[[], object], prepare: Callable[[int], object], *, runs: int = RUNS
) -> list[float]:
    """Times of a call that returns when its result is there; else as `timed_runs`."""
    return timed_runs(lambda: elapsed_milliseconds(call), prepare, runs=runs)


def elapsed_milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3
