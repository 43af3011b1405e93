# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a node takes of the machine while it is measured: CPU, memory, GPU, energy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mbu_ros.bench.energy import Meter, MeterError
from mbu_ros.bench.gpu import NvmlGpu, jetson_busy_share, open_meter, open_nvml

INTERVAL_SECONDS = 0.1
"""Between two samples: some sensors change no more often, and reading them takes time as well."""


class Process(Protocol):
    """What is asked of the node's process; see `bench.ros_process.RosProcess`."""

    @property
    def pid(self) -> int:
        """Of the process."""

    def cpu_seconds(self) -> float | None:
        """CPU time taken so far."""

    def memory_bytes(self) -> int | None:
        """Memory held now."""


@dataclass(frozen=True)
class Machine:
    """What this machine has to be asked.

    Attributes:
        gpu: None without NVML.
        meter: counts energy; None where nothing does.
        used_before: bytes of the GPU's memory in use before the node was started; None if unknown.
        notes: for people, why something is not known.
    """

    gpu: NvmlGpu | None = None
    meter: Meter | None = None
    used_before: int | None = None
    notes: tuple[str, ...] = ()


@contextmanager
def open_machine() -> Iterator[Machine]:
    """Look for a GPU and a meter. To be called before the node is started."""
    with open_nvml() as (gpu, no_gpu), open_meter(gpu) as (meter, no_meter):
        notes = []
        if gpu is None and jetson_busy_share() is None:
            notes.append(f'no figures of a GPU: {no_gpu}')
        if meter is None:
            notes.append(f'no energy: {no_meter}')
        used = None if gpu is None else gpu.memory_used()
        yield Machine(gpu, meter, used, tuple(notes))


@dataclass
class _Samples:
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, value: float | None) -> None:
        if value is not None:
            self.times.append(time.perf_counter())
            self.values.append(value)

    def growth(self, begin: float, end: float) -> float | None:
        """Of a counter, between these two moments."""
        if len(self.times) < 2:
            return None
        first, last = np.interp((begin, end), self.times, self.values)
        return float(last - first)

    def within(self, begin: float, end: float) -> Sequence[float]:
        return [value for when, value in zip(self.times, self.values) if begin <= when <= end]


class ResourceMonitor:
    """Samples in a thread of its own; a context manager, around what is measured.

    Args:
        process: of the node.
        machine: from `open_machine`.
    """

    def __init__(self, process: Process, machine: Machine) -> None:
        self._process, self._machine = process, machine
        self._cpu, self._memory = _Samples(), _Samples()
        self._busy, self._gpu_memory, self._energy = _Samples(), _Samples(), _Samples()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name='resources', daemon=True)

    def __enter__(self) -> ResourceMonitor:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._end.set()
        self._thread.join()
        self._sample()

    def usage(self, begin: float, end: float, frames: int) -> dict[str, Any]:
        """What was taken between two moments of time.perf_counter(). To be called after the end.

        Args:
            begin, end: within the time that was monitored.
            frames: answered meanwhile.

        Returns:
            By key, None where the machine does not tell: 'cpu_percent' of one core; 'memory_mb' at
            most; 'gpu_percent', the share of the time that the GPU was not idle; 'gpu_memory_mb' at
            most, of the process, or where only the whole is known what the GPU has more than before
            the node; 'watts'; 'joules_per_frame'; 'energy_source', what was read.
        """
        seconds, meter = end - begin, self._machine.meter
        cpu, joules = self._cpu.growth(begin, end), self._energy.growth(begin, end)
        busy = self._busy.within(begin, end)
        return {
            'cpu_percent': None if cpu is None else 100 * cpu / seconds,
            'memory_mb': _most(self._memory.within(begin, end), 1e-6),
            'gpu_percent': 100 * sum(busy) / len(busy) if busy else None,
            'gpu_memory_mb': _most(self._gpu_memory.within(begin, end), 1e-6),
            'watts': None if joules is None else joules / seconds,
            'joules_per_frame': None if joules is None or not frames else joules / frames,
            'energy_source': None if joules is None or meter is None else meter.source,
        }

    def _run(self) -> None:
        while not self._end.wait(INTERVAL_SECONDS):
            self._sample()

    def _sample(self) -> None:
        gpu = self._machine.gpu
        self._cpu.add(self._process.cpu_seconds())
        self._memory.add(self._process.memory_bytes())
        share = gpu.busy_share() if gpu is not None else None
        self._busy.add(jetson_busy_share() if share is None else share)
        self._gpu_memory.add(self._gpu_memory_now(gpu))
        self._energy.add(self._joules())

    def _gpu_memory_now(self, gpu: NvmlGpu | None) -> int | None:
        if gpu is None:
            return None
        own = gpu.memory_of(self._process.pid)
        if own is not None:
            return own
        used, before = gpu.memory_used(), self._machine.used_before
        return None if used is None or before is None else max(0, used - before)

    def _joules(self) -> float | None:
        try:
            return None if self._machine.meter is None else self._machine.meter.joules()
        except MeterError:  # it worked when it was opened: a figure less, no reason to stop
            return None


def _most(values: Sequence[float], unit: float) -> float | None:
    return max(values) * unit if values else None
