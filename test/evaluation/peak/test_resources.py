# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a node takes of the machine, from sensors that are made up."""

import sys
import time

import pytest

from mbu_ros.bench.energy import MeterError
from mbu_ros.bench.gpu import NvmlGpu
from mbu_ros.evaluation.peak import resources
from mbu_ros.evaluation.peak.resources import Machine, ResourceMonitor, open_machine


class Process:
    """Takes half a core, and more and more memory."""

    pid = 4711

    def __init__(self):
        self.begin, self.memory = time.perf_counter(), 100_000_000

    def cpu_seconds(self):
        return 0.5 * (time.perf_counter() - self.begin)

    def memory_bytes(self):
        self.memory += 1_000_000
        return self.memory


class Gpu:
    """Half busy; says of which process its memory is, or does not."""

    def __init__(self, own=None, used=None):
        self.own, self.used = own, used

    def busy_share(self):
        return 0.5

    def memory_of(self, pid):
        return self.own if pid == Process.pid else None

    def memory_used(self):
        return self.used


class Meter:
    """Twenty watts."""

    source = 'made up'

    def joules(self):
        return 1000 + 20 * time.perf_counter()


def watch(machine, frames=10):
    with ResourceMonitor(Process(), machine) as monitor:
        begin = time.perf_counter()
        time.sleep(0.35)
        end = time.perf_counter()
    return monitor.usage(begin, end, frames), end - begin


@pytest.mark.alone
def test_all_that_is_known():
    used, seconds = watch(Machine(Gpu(own=300_000_000), Meter(), 0))
    assert used['cpu_percent'] == pytest.approx(50, rel=0.02)
    assert 100 < used['memory_mb'] < 150
    assert used['gpu_percent'] == 50 and used['gpu_memory_mb'] == 300
    assert used['watts'] == pytest.approx(20, rel=0.02)
    assert used['joules_per_frame'] == pytest.approx(2 * seconds, rel=0.02)
    assert used['energy_source'] == 'made up'


def test_memory_of_a_gpu_that_knows_no_processes_is_what_came_since():
    used, _ = watch(Machine(Gpu(used=900_000_000), None, 400_000_000))
    assert used['gpu_memory_mb'] == 500
    assert used['watts'] is None and used['energy_source'] is None
    used, _ = watch(Machine(Gpu(used=900_000_000), None, None))
    assert used['gpu_memory_mb'] is None


def test_nothing_is_made_up(monkeypatch):
    monkeypatch.setattr(Process, 'cpu_seconds', lambda self: None)
    monkeypatch.setattr(Process, 'memory_bytes', lambda self: None)
    monkeypatch.setattr(resources, 'jetson_busy_share', lambda: None)
    used, _ = watch(Machine())
    assert set(used.values()) == {None}


def test_a_jetson_tells_how_busy_its_gpu_is(monkeypatch):
    monkeypatch.setattr(resources, 'jetson_busy_share', lambda: 0.25)
    assert watch(Machine())[0]['gpu_percent'] == 25


@pytest.mark.alone
def test_a_meter_that_fails_later_costs_a_figure_only():
    class Broken(Meter):
        def joules(self):
            raise MeterError('unplugged')

    used, _ = watch(Machine(meter=Broken()))
    assert used['watts'] is None and used['energy_source'] is None
    assert used['cpu_percent'] == pytest.approx(50, rel=0.02)


def test_no_frame_has_no_energy():
    used, _ = watch(Machine(meter=Meter()), frames=0)
    assert used['joules_per_frame'] is None and used['watts'] is not None


def test_a_machine_without_sensors_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pynvml', None)
    monkeypatch.setattr(resources, 'jetson_busy_share', lambda: None)
    with open_machine() as machine:
        assert machine.gpu is None
        assert any('no figures of a GPU' in note for note in machine.notes)
        assert machine.meter is not None or any('no energy' in note for note in machine.notes)


def test_how_busy_a_gpu_is_by_nvml():
    class Nvml:
        NVMLError = RuntimeError

        def nvmlDeviceGetUtilizationRates(self, handle):  # noqa: N802
            if handle != 'gpu0':
                raise RuntimeError('not supported')
            return type('Rates', (), {'gpu': 37})

    assert NvmlGpu(Nvml(), 'gpu0').busy_share() == 0.37
    assert NvmlGpu(Nvml(), 'gpu1').busy_share() is None
