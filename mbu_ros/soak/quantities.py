# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a soak watches, and how much of each may grow."""

from __future__ import annotations

from dataclasses import dataclass, replace

QUEUE_DEPTH = 5
"""Images that may wait for the node: its parameter's default."""
IN_FLIGHT = 2
"""Images that there are of a camera that waits for each mask: that one, and the one before it."""


@dataclass(frozen=True)
class Quantity:
    """One column of the samples.

    Attributes:
        key: of a sample.
        title, unit: for people.
        floor: growth in its unit that is nothing: the grain of the measurement.
        share: growth as a share of its median that is nothing.
    """

    key: str
    title: str
    unit: str
    floor: float
    share: float


QUANTITIES = (
    Quantity('rss_mb', 'resident memory', 'MB', 4.0, 0.02),
    # NVML counts in pages of 2 MB.
    Quantity('gpu_mb', 'GPU memory', 'MB', 4.0, 0.01),
    # Both are whole numbers, so that half a one more is one more half of the time.
    Quantity('threads', 'threads', '', 0.5, 0.0),
    Quantity('handles', 'file handles', '', 0.5, 0.0),
    # What else runs on the machine shows here; a leak in the node's tables shows as a multiple.
    Quantity('p99_ms', 'latency p99', 'ms', 1.0, 0.2),
)


def quantities(size: tuple[int, int], rate: float) -> list[Quantity]:
    """What to judge where images are of this (height, width) and rate in Hz, 0: one by one.

    On a busy machine more images wait at the same time than ever before: steps of an image each.
    """
    waiting = (QUEUE_DEPTH if rate else IN_FLIGHT) * 3e-6 * size[0] * size[1]
    return [
        replace(quantity, floor=max(quantity.floor, waiting))
        if quantity.key == 'rss_mb'
        else quantity
        for quantity in QUANTITIES
    ]
