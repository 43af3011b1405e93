# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What GPUs can do in a second: Tensor Core operations on bits and bytes, and memory bandwidth."""

from __future__ import annotations

from dataclasses import dataclass

MMA, WGMMA = 'mma.sync', 'wgmma'
"""The two ways to the Tensor Cores: every GPU from sm_80 has the first, sm_90 alone the second."""


@dataclass(frozen=True)
class GpuFacts:
    """A GPU, as its driver or its data sheet describes it.

    Attributes:
        name: its name.
        architecture: compute capability times ten, such as 87.
        multiprocessors: how many it has.
        clock: their highest clock, in Hz.
        bandwidth: of its memory, bytes per second, reads and writes together.
    """

    name: str
    architecture: int
    multiprocessors: int
    clock: float
    bandwidth: float


@dataclass(frozen=True)
class Rates:
    """Rates of one GPU.

    Attributes:
        binary: operations per second on bits, AND and popcount, two per multiply-add.
        int8: operations per second on bytes, two per multiply-add.
        bandwidth: bytes per second.
        source: where the first two come from.
    """

    binary: float
    int8: float
    bandwidth: float
    source: str


@dataclass(frozen=True)
class _PerClock:
    """Operations of one multiprocessor in one clock, dense, two per multiply-add."""

    binary: float
    int8: float
    source: str


# The rates of Hopper were measured on one H200 (132 multiprocessors, up to 1980 MHz), with random
# data. The clock during that is not known, so they are written per cycle of the highest one.
_H200_CYCLES = 132 * 1.98e9
_BINARY_NOT_PUBLISHED = (
    'int8 as published; binary ESTIMATED as 8 times int8, as on the A100 and the H200'
)
_PER_CLOCK: dict[int, dict[str, _PerClock]] = {
    # NVIDIA A100 white paper: 4992 T/s binary and 624 T/s int8 with 108 at 1.41 GHz.
    80: {MMA: _PerClock(32768, 4096, 'published (NVIDIA A100 white paper)')},
    # NVIDIA GA102 white paper: int8 284 T/s, dense, with 82 at 1.695 GHz.
    86: {MMA: _PerClock(16384, 2048, _BINARY_NOT_PUBLISHED)},
    # NVIDIA Jetson AGX Orin Series technical brief: int8 170 T/s, sparse, with 16 at 1.3 GHz.
    87: {MMA: _PerClock(32768, 4096, _BINARY_NOT_PUBLISHED)},
    # NVIDIA Ada white paper: int8 661 T/s, dense, with 128 at 2.52 GHz.
    89: {MMA: _PerClock(16384, 2048, _BINARY_NOT_PUBLISHED)},
    90: {
        MMA: _PerClock(10028e12 / _H200_CYCLES, 1254e12 / _H200_CYCLES, 'measured on an H200'),
        WGMMA: _PerClock(15509e12 / _H200_CYCLES, 1939e12 / _H200_CYCLES, 'measured on an H200'),
    },
}


def rates_of(gpu: GpuFacts) -> dict[str, Rates]:
    """Rates by `MMA` and `WGMMA`, those that the GPU has; empty where it is not known.

    Other GPUs of an architecture are scaled by their multiprocessors and highest clock.
    """
    cycles = gpu.multiprocessors * gpu.clock
    return {
        path: Rates(cycles * one.binary, cycles * one.int8, gpu.bandwidth, one.source)
        for path, one in _PER_CLOCK.get(gpu.architecture, {}).items()
    }
