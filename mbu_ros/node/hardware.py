# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Temperature, power and memory of the machine, where it tells."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from mbu_ros.bench.energy import MeterError
from mbu_ros.bench.gpu import NvmlGpu, open_nvml
from mbu_ros.bench.rails import Rail, find_rails

LOGGER = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
"""For a sensor that is being read in the end: of a GPU that is lost, NVML may never answer."""
THERMAL = Path('/sys/class/thermal')
PROCESS = Path('/proc/self/status')
PLAUSIBLE = range(-50, 150)
"""Degrees Celsius; zones of parts that are switched off show others."""


class HardwareMonitor:
    """Reads what the machine tells once a second, in a thread of its own: some sensors are slow.

    Attributes:
        values: by key, for /diagnostics; always replaced whole. What the machine does not tell is
            not among them.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name='hardware', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; one that hangs is left to the end of the process. Twice is allowed."""
        self._end.set()
        self._thread.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        try:
            rails = find_rails()
        except MeterError as error:
            LOGGER.info('No power in the diagnostics: %s', error)
            rails = []
        with open_nvml() as (gpu, _):
            while not self._end.is_set():
                known = zone_values() | rail_values(rails) | gpu_values(gpu)
                self.values = known | process_values()
                self._end.wait(INTERVAL_SECONDS)


def gpu_values(gpu: NvmlGpu | None) -> dict[str, str]:
    """What NVML tells of a GPU."""
    state = gpu.state() if gpu is not None else {}
    keys = {
        'GPU PCI bus': 'pci_bus_id',
        'GPU temperature (C)': 'celsius',
        'GPU power (W)': 'watts',
        'GPU power limit (W)': 'power_limit_watts',
        'GPU clock (MHz)': 'sm_mhz',
        'NVIDIA driver': 'driver',
    }
    return {key: str(state[name]) for key, name in keys.items() if state.get(name) is not None}


def rail_values(rails: list[Rail]) -> dict[str, str]:
    """What the power monitors of a Jetson tell."""
    try:
        watts = [rail.watts() for rail in rails]
    except MeterError:
        return {}
    return {'Module power (W)': f'{sum(watts):.2f}'} if watts else {}


def zone_values(root: Path = THERMAL) -> dict[str, str]:
    """The GPU's thermal zone, which Jetsons have, and the hottest of all."""
    celsius = {}
    for zone in sorted(root.glob('thermal_zone*')):
        try:
            name = (zone / 'type').read_text().strip()
            value = int((zone / 'temp').read_text()) / 1000
        except (OSError, ValueError):  # of a part that is switched off
            continue
        if PLAUSIBLE.start <= value < PLAUSIBLE.stop:
            celsius[name] = value
    values = {}
    for name, value in celsius.items():
        if name.lower().startswith('gpu'):
            values['GPU temperature (C)'] = f'{value:.1f}'
    if celsius:
        hottest = max(celsius, key=celsius.get)
        values |= {'Hottest zone': hottest, 'Hottest zone (C)': f'{celsius[hottest]:.1f}'}
    return values


def process_values(status: Path = PROCESS) -> dict[str, str]:
    """Memory of this process on the CPU's side."""
    try:
        lines = status.read_text().splitlines()
    except OSError:  # not Linux
        return {}
    for line in lines:
        if line.startswith('VmRSS:'):
            return {'Process memory (MB)': f'{1024e-6 * int(line.split()[1]):.0f}'}
    return {}
