# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the network would take on a Jetson Orin: an estimate from times measured on another GPU."""

from __future__ import annotations

from collections.abc import Sequence

from mbu_ros.bench.floor import Work
from mbu_ros.bench.rates import MMA, GpuFacts, Rates, rates_of

# NVIDIA Jetson AGX Orin Series technical brief v1.2, and the data sheets of Orin NX and Orin Nano:
# multiprocessors (of 128 CUDA cores), highest GPU clock, memory bandwidth. The sparse int8 rates
# that they state for the GPU (170, 60 and 40 T/s) are twice multiprocessors * clock * 4096.
ORIN = {
    'orin-agx': GpuFacts('Jetson AGX Orin 64GB', 87, 16, 1.3e9, 204.8e9),
    'orin-nx': GpuFacts('Jetson Orin NX 16GB', 87, 8, 0.918e9, 102.4e9),
    'orin-nano': GpuFacts('Jetson Orin Nano 8GB', 87, 8, 0.625e9, 68.0e9),
}

METHOD = (
    'ESTIMATE, not measured: each layer is taken to reach, on Orin at its highest clock, the share '
    'of its floor that it reached here (at most 1), the floor here being that of the instruction '
    'it used. Orin has mma.sync alone: where the GPU here has wgmma too, only a run with '
    '--instruction mma is a fair start. Smaller caches and shared memory on Orin are not allowed '
    'for, nor copies, nor lower power modes.'
)


def estimate(layers: Sequence[tuple[str, Work, float, Rates]], board: str) -> dict:
    """Times of layers on an Orin.

    Args:
        layers: name, work, measured milliseconds, and the rates of the GPU on which and of the
            instruction with which they were measured, in running order.
        board: a key of `ORIN`.

    Returns:
        {'board', 'method', 'rates', 'device_ms', 'layers': [{'layer', 'ms', 'bound'}]}
    """
    facts = ORIN[board]
    there = rates_of(facts)[MMA]
    rows = []
    for name, work, milliseconds, here in layers:
        share = min(1.0, work.floor_seconds(here) * 1e3 / milliseconds)
        rows.append({
            'layer': name,
            'ms': work.floor_seconds(there) * 1e3 / share,
            'bound': work.bound(there),
        })
    return {
        'board': facts.name,
        'method': METHOD,
        'rates': {
            'binary': there.binary,
            'int8': there.int8,
            'bandwidth': there.bandwidth,
            'source': there.source,
        },
        'device_ms': sum(row['ms'] for row in rows),
        'layers': rows,
    }
