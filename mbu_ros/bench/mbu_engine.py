# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures the CUDA engine: whole frames, layer by layer, energy, memory and host overhead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from mbu_ros.bench.energy import Meter, MeterError, measure_energy
from mbu_ros.bench.floor import Network, Work, timed_names
from mbu_ros.bench.rates import MMA, WGMMA, Rates
from mbu_ros.bench.timing import (
    RUNS,
    WARM_UP,
    elapsed_milliseconds,
    summary,
    timed_runs,
    wall_milliseconds,
)
from mbu_ros.engine.base import STAGES
from mbu_ros.engine.cuda.frame_format import FrameFormat

if TYPE_CHECKING:
    from mbu_ros.engine.cuda.engine import CudaEngine
    from mbu_ros.engine.cuda.launch import Launch
    from mbu_ros.engine.cuda.session import Session

LAYER_RUNS = 50
"""Launches of each kernel, back to back, whose mean is one layer's time."""


def measure_engine(
    engine: CudaEngine,
    network: Network,
    batches: Sequence[np.ndarray],
    meter: Meter | None,
    rates: Mapping[str, Rates],
    *,
    seconds: float,
    runs: int = RUNS,
) -> dict:
    """Times, energy and memory of the engine.

    Args:
        engine: of a model of `network`'s shape.
        network: what runs, for the floors.
        batches: inputs, uint8 [N, H, W, 3], of the network's size.
        meter: what counts energy, if anything does.
        rates: of this GPU, by `MMA` and `WGMMA`; empty where they are not known.
        seconds: length of the energy measurement.
        runs: number of timed runs.

    Returns:
        By key, times in milliseconds as `timing.summary` gives them, of a whole batch:
        device_ms         resize, network and mask on the device, in one graph without copies
        device_with_copies_ms
                          the same with copies from and to pinned memory, in the graph that calls
                          launch: it has marks between stages, which keep those from overlapping,
                          so it takes longer than `device_ms` and the copies together
        wall_ms           of that graph, from its launch until the program knows of its end
        segment_ms        of the call that a program makes, from arrays to arrays
        copies_ms         medians of the copies by the CPU in such a call: 'into_pinned' memory and
                          'out_of_pinned'
        host_overhead_us  what is left of `segment_ms` without `device_with_copies_ms` and
                          `copies_ms`, of medians: Python, the launch, the wait's end
        stages_ms         medians on the device, by stage, in the graph with marks
        memory            bytes on the device, by use: `Session.memory_bytes`
        energy            of a frame, without copies, and energy_missing, as
                          `baseline.measure_baseline`
        layers, total     see `layer_rows` and `total_row`
    """
    count, height, width = batches[0].shape[:3]
    session = engine.session((FrameFormat('rgb8', height, width, 3 * width),) * count)

    def fill(index: int) -> None:
        _fill(session, batches[index % len(batches)])

    def on_device(transfers: bool) -> dict:
        return summary(
            timed_runs(
                lambda: session.device_milliseconds(1, transfers=transfers)[0], fill, runs=runs
            )
        )

    result = {
        'title': 'MBU engine',
        'device_ms': on_device(transfers=False),
        'wall_ms': summary(wall_milliseconds(session.run, fill, runs=runs)),
        'device_with_copies_ms': on_device(transfers=True),
        **_calls(engine, session, batches, runs),
        'memory': dict(session.memory_bytes),
        'energy': None,
    }
    result['host_overhead_us'] = 1e3 * (
        result['segment_ms']['p50']
        - result['device_with_copies_ms']['p50']
        - sum(result['copies_ms'].values())
    )
    result['layers'] = layer_rows(
        [
            (launch.layer, _path(launch), milliseconds)
            for launch, milliseconds in session.launch_milliseconds(LAYER_RUNS)
        ],
        network,
        rates,
    )
    result['total'] = total_row(result['layers'], result['device_ms']['p50'], rates)
    if meter is not None:
        try:
            result['energy'] = measure_energy(
                meter,
                session.enqueue_compute,
                session.synchronize,
                frames=count,
                seconds=seconds,
            ).as_dict()
        except MeterError as error:
            result['energy_missing'] = str(error)
    return result


def _calls(
    engine: CudaEngine, session: Session, batches: Sequence[np.ndarray], runs: int
) -> dict:
    """Times of `segment`, and of the copies by the CPU in it.

    Each call is followed by the same steps one by one, of another input: so the copies find the
    CPU's caches as they do in the call, after the device has read and written that memory.
    """
    rows = []
    for index in range(WARM_UP + runs):
        frames = list(batches[index % len(batches)])
        others = batches[(index + len(batches) // 2) % len(batches)]
        row = {
            'segment': elapsed_milliseconds(partial(engine.segment, frames)),
            'into_pinned': elapsed_milliseconds(partial(_fill, session, others)),
        }
        session.run()
        row |= session.stage_milliseconds()
        row['out_of_pinned'] = elapsed_milliseconds(partial(_take, session))
        rows.append(row)

    def medians(names: Sequence[str]) -> dict[str, float]:
        return {name: median(row[name] for row in rows[WARM_UP:]) for name in names}

    return {
        'segment_ms': summary([row['segment'] for row in rows[WARM_UP:]]),
        'copies_ms': medians(('into_pinned', 'out_of_pinned')),
        'stages_ms': medians(STAGES),
    }


def _fill(session: Session, frames: Sequence[np.ndarray]) -> None:
    for slot, frame in enumerate(frames):
        session.fill(slot, frame)


def _take(session: Session) -> list[np.ndarray]:
    return [session.mask(slot).copy() for slot in range(len(session.formats))]


def _path(launch: Launch) -> str:
    return WGMMA if WGMMA in launch.source or WGMMA in launch.kernel else MMA


def layer_rows(
    launches: Sequence[tuple[str, str, float]], network: Network, rates: Mapping[str, Rates]
) -> list[dict]:
    """Rows of the per-layer table.

    Args:
        launches: layer, path to the Tensor Cores (`MMA` or `WGMMA`) and milliseconds of each
            launch, in order; a layer may have several, which are added.

    Returns:
        By layer: 'layer' (with the layers that run in the same kernel), 'path', 'ms', 'launches',
        its work, and 'floors': by path {'ms', 'bound', 'share'}, the share being floor over time.
    """
    by_layer: dict[str, list[tuple[str, float]]] = {}
    for layer, path, milliseconds in launches:
        by_layer.setdefault(layer, []).append((path, milliseconds))
    names = timed_names(network.shapes, by_layer)
    rows = []
    for layer, entries in by_layer.items():
        work = network.work(names[layer])
        milliseconds = sum(ms for _, ms in entries)
        rows.append({
            'layer': names[layer],
            'path': WGMMA if any(path == WGMMA for path, _ in entries) else MMA,
            'ms': milliseconds,
            'launches': len(entries),
            'binary_operations': work.binary_operations,
            'int8_operations': work.int8_operations,
            'bytes': work.bytes,
            'floors': {
                path: _floor(work, one, milliseconds) for path, one in rates.items()
            },
        })
    return rows


def _floor(work: Work, rates: Rates, milliseconds: float) -> dict:
    floor = work.floor_seconds(rates) * 1e3
    return {'ms': floor, 'bound': work.bound(rates), 'share': floor / milliseconds}


def total_row(rows: Sequence[dict], device_ms: float, rates: Mapping[str, Rates]) -> dict:
    """Sums over layers: of kernels timed alone, of floors, and the share that the whole reached.

    Args:
        device_ms: time of the whole, in which kernels may overlap.

    Returns:
        {'ms', 'floors_ms' by path, 'shares' by path: floors over `device_ms`}
    """
    floors = {path: sum(row['floors'][path]['ms'] for row in rows) for path in rates}
    return {
        'ms': sum(row['ms'] for row in rows),
        'floors_ms': floors,
        'shares': {path: floor / device_ms for path, floor in floors.items()},
    }
