# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Input frames of a benchmark."""

from __future__ import annotations

import numpy as np

SETS = 4
"""Different inputs, taken in turn."""


def random_batches(batch: int, size: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """`SETS` batches of noise, uint8 [batch, H, W, 3]: zeros would run faster than real images."""
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (batch, *size, 3), dtype=np.uint8) for _ in range(SETS)]
