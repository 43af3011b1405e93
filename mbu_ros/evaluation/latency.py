# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Percentiles of times: the form in which reports state latencies."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PERCENTILES = (50, 95, 99)


def percentiles(milliseconds: Iterable[float]) -> dict[str, float | None]:
    """The 50th, 95th and 99th percentile as {'p50', 'p95', 'p99'}, interpolated linearly.

    None for each when there is no value.
    """
    values = np.fromiter(milliseconds, dtype=np.float64)
    if not values.size:
        return {f'p{p}': None for p in PERCENTILES}
    return {f'p{p}': float(v) for p, v in zip(PERCENTILES, np.percentile(values, PERCENTILES))}
