# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times on the device, from events on the engine's stream, in milliseconds."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.graph import Recorder

ROUNDS = 5
"""Times that a measurement of one launch is repeated; the median counts."""


def time_each(device: Device, enqueue: Callable[[], None], repeat: int) -> list[float]:
    """Time of each of `repeat` calls of `enqueue`, queued one after the other."""
    event, stream = device.driver.Event, device.stream
    spans = [(event(), event()) for _ in range(repeat)]
    for start, end in spans:
        start.record(stream)
        enqueue()
        end.record(stream)
    stream.synchronize()
    return [end.time_since(start) for start, end in spans]


def time_in_a_row(recorder: Recorder, enqueue: Callable[[], None], repeat: int) -> float:
    """Mean time of `repeat` calls of `enqueue` without gaps; of several such means the median."""

    def enqueue_all() -> None:
        for _ in range(repeat):
            enqueue()

    # As a graph, since one launch from Python takes longer than most kernels do.
    work = recorder.record(enqueue_all)
    try:
        work.launch()
        times = time_each(recorder.device, work.launch, ROUNDS)
        return statistics.median(times) / repeat
    finally:
        work.close()
