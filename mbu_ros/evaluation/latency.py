# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Percentiles and summaries of times: the forms in which reports state latencies."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PERCENTILES = (50, 95, 99)

LatencySummary = dict[str, 'int | float | None']
"""What `latency_summary` returns."""


def percentiles(milliseconds: Iterable[float]) -> dict[str, float | None]:
    """The 50th, 95th and 99th percentile as {'p50', 'p95', 'p99'}, interpolated linearly.

    None for each when there is no value.
    """
    values = np.fromiter(milliseconds, dtype=np.float64)
    if not values.size:
        return {f'p{p}': None for p in PERCENTILES}
    return {f'p{p}': float(v) for p, v in zip(PERCENTILES, np.percentile(values, PERCENTILES))}


def latency_summary(milliseconds: Iterable[float]) -> LatencySummary:
    """Figures of latencies in the order of their frames, in milliseconds.

    Returns:
        {'count', 'min', 'mean', 'p50', 'p95', 'p99', 'max', 'jitter'}, in this order. Jitter is
        the mean absolute difference of consecutive latencies. Without values the count is 0 and
        the others are None; the jitter of one value is None, too.
    """
    values = np.fromiter(milliseconds, dtype=np.float64)
    some = values.size > 0
    return {
        'count': values.size,
        'min': float(values.min()) if some else None,
        'mean': float(values.mean()) if some else None,
        **percentiles(values),
        'max': float(values.max()) if some else None,
        'jitter': float(np.abs(np.diff(values)).mean()) if values.size > 1 else None,
    }
