# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Energy per frame: back-to-back frames between two readings of an energy counter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

CHUNK_SECONDS = 0.02
"""Work enqueued at once: so much that the pauses between do not count, so little that counters are
read often."""
WARM_UP_SECONDS = 1.0
"""Until clocks have settled, and a counter that averages over time has caught up."""
IDLE_SECONDS = 0.7


class Meter(Protocol):
    """Counts the energy that a device takes."""

    source: str
    """What it reads, for the report."""

    def joules(self) -> float:
        """Energy since some fixed moment."""


class MeterError(RuntimeError):
    """The meter gives no usable readings; the text says why."""


@dataclass(frozen=True)
class Energy:
    """Energy of one kind of work.

    Attributes:
        joules_per_frame: all that the device took, divided by frames.
        watts: mean power meanwhile.
        idle_watts: mean power just before, with nothing to do.
        seconds, frames: how long and how many.
        source: what was read.
    """

    joules_per_frame: float
    watts: float
    idle_watts: float
    seconds: float
    frames: int
    source: str

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


def measure_energy(
    meter: Meter,
    enqueue: Callable[[], object],
    synchronize: Callable[[], object],
    *,
    frames: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> Energy:
    """Run frames back to back for at least `seconds` and read the meter.

    Counters move in steps, some tens of milliseconds apart, so both ends of the window are laid
    where the counter has just moved. It is read while the device is busy with work just enqueued:
    the device never waits for the reading, and both readings find it at the same point of a chunk.

    Args:
        enqueue: starts one batch and does not wait for it.
        synchronize: waits for all that was enqueued.
        frames: frames of one batch.

    Raises:
        MeterError: the counter stands still.
    """
    synchronize()
    idle_watts = _idle_watts(meter, clock, sleep)
    chunk = _chunk(enqueue, synchronize, clock)

    def step() -> tuple[float, float]:
        for _ in range(chunk):
            enqueue()
        reading, now = meter.joules(), clock()
        synchronize()
        return reading, now

    begin = clock()
    deadline = begin + WARM_UP_SECONDS + 10 * seconds + 10
    last, now = step()
    reading = last
    while now - begin < WARM_UP_SECONDS or reading == last:
        last = reading
        reading, now = step()
        _check(now, deadline, meter)
    first, start, chunks = reading, now, 0
    while now - start < seconds or reading == last:
        last = reading
        reading, now = step()
        chunks += 1
        _check(now, deadline, meter)
    count, joules = chunks * chunk * frames, reading - first
    return Energy(
        joules_per_frame=joules / count,
        watts=joules / (now - start),
        idle_watts=idle_watts,
        seconds=now - start,
        frames=count,
        source=meter.source,
    )


def _check(now: float, deadline: float, meter: Meter) -> None:
    if now > deadline:
        raise MeterError(f'{meter.source}: the energy counter stands still')


def _idle_watts(
    meter: Meter, clock: Callable[[], float], sleep: Callable[[float], object]
) -> float:
    sleep(IDLE_SECONDS / 2)  # the clocks fall only after a while
    before, start = meter.joules(), clock()
    sleep(IDLE_SECONDS)
    return (meter.joules() - before) / (clock() - start)


def _chunk(
    enqueue: Callable[[], object],
    synchronize: Callable[[], object],
    clock: Callable[[], float],
) -> int:
    """Batches that take about `CHUNK_SECONDS`."""
    enqueue()
    synchronize()
    start = clock()
    for _ in range(4):
        enqueue()
    synchronize()
    return max(1, min(500, round(CHUNK_SECONDS * 4 / max(clock() - start, 1e-6))))
