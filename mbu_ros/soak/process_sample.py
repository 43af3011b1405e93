# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a process takes of the machine at one moment, as Linux and NVML tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mbu_ros.bench.gpu import NvmlGpu
from mbu_ros.errors import InputError


def sample_process(pid: int) -> dict[str, float]:
    """Resident memory in MB, threads and open file handles, by the keys of `quantities`.

    Raises:
        InputError: the process is gone, or this system has no /proc.
    """
    folder = Path('/proc', str(pid))
    try:
        lines = (folder / 'status').read_text(encoding='ascii', errors='replace').splitlines()
        handles = len(os.listdir(folder / 'fd'))
    except OSError as error:
        raise InputError(f'{folder}: cannot be read: {error.strerror}') from error
    fields = dict(line.split(':', 1) for line in lines if ':' in line)
    if 'VmRSS' not in fields:  # it has ended, and nobody has asked for its exit code yet
        raise InputError(f'{folder}: the process has ended')
    return {
        'rss_mb': int(fields['VmRSS'].split()[0]) * 1024e-6,
        'threads': int(fields['Threads']),
        'handles': handles,
    }


class GpuMemory:
    """The GPU memory of a process.

    NVML does not tell it on every system: in a container it counts processes by other numbers;
    then it is the memory that all processes together have. On a Jetson it tells nothing; then it is
    what the engine says that it holds.

    Args:
        gpu: where the process runs; None where NVML knows of none.
        pid: of a process that has taken what memory it wants.

    Attributes:
        source: what is measured, for people.
    """

    def __init__(self, gpu: NvmlGpu | None, pid: int) -> None:
        self.source = 'of the engine, as it counts itself'
        self._measure: Callable[[], int | None] | None = None
        if gpu is not None and gpu.memory_of(pid) is not None:
            self.source = 'of the process (NVML)'
            self._measure = lambda: gpu.memory_of(pid)
        elif gpu is not None and gpu.memory_used() is not None:
            self.source = 'of all processes (NVML)'
            self._measure = gpu.memory_used

    def megabytes(self, told: Mapping[str, str]) -> float | None:
        """What there is now; None where it is not known.

        Args:
            told: values of the diagnostics of the node's engine.
        """
        if self._measure is None:
            value = told.get('GPU memory of the engine (MB)')
            return float(value) if value else None
        used = self._measure()
        return None if used is None else used / 1e6
