# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of the GPU of a benchmark, and the counter of its energy, through NVML."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from mbu_ros.bench.energy import Meter, MeterError
from mbu_ros.bench.orin import ORIN
from mbu_ros.bench.rails import RailMeter, find_rails
from mbu_ros.bench.rates import GpuFacts
from mbu_ros.engine.base import EngineUnavailable

BOARD = Path('/proc/device-tree/model')
"""Name of a Jetson's board."""
BOARDS = {'AGX Orin': 'orin-agx', 'Orin NX': 'orin-nx', 'Orin Nano': 'orin-nano'}
LOADS = Path('/sys/class/devfreq')
LOAD_NAMES = ('gpu', 'ga10b')
"""What Orin's GPU is called there by JetPack 6 and 5; its load is in thousandths."""

# CUDA cores of one multiprocessor by architecture: NVML counts cores only.
CORES = {80: 64, 86: 128, 87: 128, 89: 128, 90: 128}


class NvmlGpu:
    """One GPU as NVML sees it; its energy counter is an `energy.Meter`.

    Args:
        nvml: the module pynvml, initialised.
        handle: NVML's handle of the device.
    """

    source = 'NVML total energy of the GPU'

    def __init__(self, nvml: ModuleType, handle: object) -> None:
        self._nvml, self._handle = nvml, handle

    def facts(self) -> GpuFacts | None:
        """Its description; None where NVML does not tell, or for an unknown architecture."""
        nvml, handle = self._nvml, self._handle
        try:
            major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
            architecture = 10 * major + minor
            if architecture not in CORES:
                return None
            # Two transfers a clock.
            megahertz = nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM)
            bandwidth = 2e6 * megahertz * nvml.nvmlDeviceGetMemoryBusWidth(handle) / 8
            return GpuFacts(
                nvml.nvmlDeviceGetName(handle),
                architecture,
                nvml.nvmlDeviceGetNumGpuCores(handle) // CORES[architecture],
                1e6 * nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM),
                bandwidth,
            )
        except nvml.NVMLError:
            return None

    def state(self) -> dict:
        """Place, driver, clocks (MHz), power, its limit (W), temperature; None where not told."""
        nvml, handle = self._nvml, self._handle

        def ask(call: str, *arguments: object) -> object:
            try:
                return getattr(nvml, call)(*arguments)
            except nvml.NVMLError:
                return None

        limit = ask('nvmlDeviceGetEnforcedPowerLimit', handle)
        power = ask('nvmlDeviceGetPowerUsage', handle)
        place = ask('nvmlDeviceGetPciInfo', handle)
        return {
            'pci_bus_id': None if place is None else _text(place.busId),
            'driver': ask('nvmlSystemGetDriverVersion'),
            'sm_mhz': ask('nvmlDeviceGetClockInfo', handle, nvml.NVML_CLOCK_SM),
            'memory_mhz': ask('nvmlDeviceGetClockInfo', handle, nvml.NVML_CLOCK_MEM),
            'watts': None if power is None else power / 1000,
            'power_limit_watts': None if limit is None else limit / 1000,
            'celsius': ask('nvmlDeviceGetTemperature', handle, nvml.NVML_TEMPERATURE_GPU),
        }

    def memory_used(self) -> int | None:
        """Bytes of its memory that processes have; None where NVML does not tell."""
        try:
            return self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used
        except self._nvml.NVMLError:
            return None

    def memory_of(self, pid: int) -> int | None:
        """Bytes of its memory that one process has; None where NVML does not tell."""
        try:
            processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._nvml.NVMLError:
            return None
        return next((one.usedGpuMemory for one in processes if one.pid == pid), None)

    def busy_share(self) -> float | None:
        """Share of the last while in which it did anything; None where NVML does not tell."""
        try:
            return self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu / 100
        except self._nvml.NVMLError:
            return None

    def joules(self) -> float:
        """Energy since the driver was loaded.

        Raises:
            MeterError: this GPU does not count it.
        """
        try:
            return self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) / 1000
        except self._nvml.NVMLError as error:
            raise MeterError(f'{self.source}: {error}') from error


@contextmanager
def open_nvml() -> Iterator[tuple[NvmlGpu | None, str]]:
    """The GPU that an engine made here would run on, or None; and why None."""
    try:
        import pynvml
    except ImportError:
        yield None, "nvidia-ml-py is not installed: pip install 'mbu_ros[bench]'"
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        yield None, f'NVML: {error}'
        return
    try:
        gpu, reason = None, ''
        try:
            gpu = NvmlGpu(pynvml, _find_handle(pynvml, os.environ.get('CUDA_VISIBLE_DEVICES')))
        except pynvml.NVMLError as error:
            reason = f'NVML: {error}'
        yield gpu, reason
    finally:
        pynvml.nvmlShutdown()


def _find_handle(nvml: ModuleType, visible: str | None) -> object:
    """NVML's handle of the first GPU that CUDA shows.

    NVML lists all GPUs by their place on the bus, whatever CUDA_VISIBLE_DEVICES hides; CUDA lists
    the fastest first. So CUDA is asked for the place of its first GPU, where there is a choice.
    """
    if visible is None and _count(nvml) == 1:
        return nvml.nvmlDeviceGetHandleByIndex(0)
    first = (visible or '0').split(',')[0].strip()
    if first.startswith('MIG-'):  # a part of a GPU, at the same place as the others
        return nvml.nvmlDeviceGetHandleByUUID(first)
    # Late, so that a node on the CPU does not wait for it.
    from mbu_ros.engine.cuda.driver import bus_id

    try:
        return nvml.nvmlDeviceGetHandleByPciBusId(bus_id())
    except (EngineUnavailable, nvml.NVMLError):
        # No engine runs here, or CUDA's GPU has no such place: the one that is meant, as far as
        # the orders agree, which they do with CUDA_DEVICE_ORDER=PCI_BUS_ID.
        if first.isdecimal():
            return nvml.nvmlDeviceGetHandleByIndex(int(first))
        return nvml.nvmlDeviceGetHandleByUUID(first)


def _text(value: str | bytes) -> str:
    # Which of both it is depends on the release of nvidia-ml-py.
    return value if isinstance(value, str) else value.decode('ascii', 'replace')


def _count(nvml: ModuleType) -> int:
    try:
        return int(nvml.nvmlDeviceGetCount())
    except nvml.NVMLError:
        return 1


def jetson_facts(board: Path = BOARD) -> GpuFacts | None:
    """What is published of the Jetson Orin that this is; None on other machines."""
    try:
        name = board.read_text(errors='replace')
    except OSError:
        return None
    return next((ORIN[key] for part, key in BOARDS.items() if part in name), None)


def jetson_busy_share(root: Path = LOADS) -> float | None:
    """As `NvmlGpu.busy_share`, of a Jetson Orin's GPU; None on other machines."""
    for name in LOAD_NAMES:
        for file in root.glob(f'*.{name}/device/load'):
            try:
                return int(file.read_text()) / 1000
            except (OSError, ValueError):
                continue
    return None


@contextmanager
def open_meter(gpu: NvmlGpu | None) -> Iterator[tuple[Meter | None, str]]:
    """What counts energy here: the power rails of a Jetson, or the GPU itself; and why None."""
    try:
        rails = find_rails()
    except MeterError as error:
        yield None, str(error)
        return
    if rails:
        with RailMeter(rails) as meter:
            yield meter, ''
        return
    try:
        if gpu is not None:
            gpu.joules()
    except MeterError as error:
        yield None, str(error)
    else:
        yield gpu, '' if gpu is not None else 'there is no NVML here'
