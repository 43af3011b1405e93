# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys
import types

import pytest

from mbu_ros.bench.energy import MeterError
from mbu_ros.bench.gpu import (
    NvmlGpu,
    jetson_busy_share,
    jetson_facts,
    open_meter,
    open_nvml,
)

from .fakes import FakeNvmlError, fake_nvml


def fail(*_):
    raise FakeNvmlError('not supported')


def test_facts_and_energy_of_a_gpu(nvml):
    with open_nvml() as (gpu, reason), open_meter(gpu) as (meter, no_meter):
        facts = gpu.facts()
        assert (facts.name, facts.architecture, facts.multiprocessors) == ('NVIDIA H200', 90, 132)
        assert facts.clock == 1.98e9
        assert facts.bandwidth == pytest.approx(4.917e12, rel=0.001)
        assert gpu.state()['driver'] == '580.1'
        assert gpu.state()['power_limit_watts'] == 700
        assert gpu.state()['watts'] == 123.4
        assert meter.joules() >= 1000  # millijoules in NVML
        assert (reason, no_meter) == ('', '')


@pytest.mark.parametrize(
    ('visible', 'handle'), [('2,3', 'gpu2'), ('GPU-abc', 'GPU-abc'), (' 1', 'gpu1')]
)
def test_the_first_gpu_that_cuda_shows(nvml, monkeypatch, visible, handle):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    asked = []
    nvml.nvmlDeviceGetName = lambda found: asked.append(found) or 'x'
    with open_nvml() as (gpu, _):
        gpu.facts()
    assert asked == [handle]


def test_without_nvml_there_is_a_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pynvml', None)
    with open_nvml() as (gpu, reason), open_meter(gpu) as (meter, no_meter):
        assert gpu is None and 'pip install' in reason
        assert meter is None and no_meter
    monkeypatch.setitem(sys.modules, 'pynvml', fake_nvml(nvmlInit=fail))
    with open_nvml() as (gpu, reason):
        assert gpu is None and 'not supported' in reason


def test_a_gpu_that_does_not_count_energy():
    gpu = NvmlGpu(fake_nvml(nvmlDeviceGetTotalEnergyConsumption=fail), 'gpu0')
    with pytest.raises(MeterError, match='not supported'):
        gpu.joules()
    with open_meter(gpu) as (meter, reason):
        assert meter is None and 'not supported' in reason


def test_what_a_gpu_does_not_tell():
    gpu = NvmlGpu(fake_nvml(nvmlDeviceGetEnforcedPowerLimit=fail), 'gpu0')
    assert gpu.state()['power_limit_watts'] is None
    assert gpu.state()['sm_mhz'] == 1755
    blackwell = fake_nvml(nvmlDeviceGetCudaComputeCapability=lambda handle: (10, 0))
    assert NvmlGpu(blackwell, 'gpu0').facts() is None
    silent = fake_nvml(nvmlDeviceGetMemoryBusWidth=fail)
    assert NvmlGpu(silent, 'gpu0').facts() is None


def test_memory_of_one_process_and_of_all():
    processes = [
        types.SimpleNamespace(pid=7, usedGpuMemory=300),
        types.SimpleNamespace(pid=8, usedGpuMemory=None),  # not told
    ]
    nvml = fake_nvml(
        nvmlDeviceGetMemoryInfo=lambda handle: types.SimpleNamespace(used=500),
        nvmlDeviceGetComputeRunningProcesses=lambda handle: processes,
    )
    gpu = NvmlGpu(nvml, 'gpu0')
    assert [gpu.memory_of(pid) for pid in (7, 8, 9)] == [300, None, None]
    assert gpu.memory_used() == 500
    silent = {'nvmlDeviceGetMemoryInfo': fail, 'nvmlDeviceGetComputeRunningProcesses': fail}
    gpu = NvmlGpu(fake_nvml(**silent), 'gpu0')
    assert gpu.memory_of(7) is None and gpu.memory_used() is None


@pytest.mark.parametrize(
    ('text', 'clock'),
    [
        ('NVIDIA Jetson AGX Orin Developer Kit\0', 1.3e9),
        ('NVIDIA Jetson Orin Nano Developer Kit\0', 0.625e9),
    ],
)
def test_a_jetson_is_known_by_its_board(tmp_path, text, clock):
    (tmp_path / 'model').write_text(text)
    assert jetson_facts(tmp_path / 'model').clock == clock


def test_other_boards(tmp_path):
    (tmp_path / 'model').write_text('Raspberry Pi')
    assert jetson_facts(tmp_path / 'model') is None
    assert jetson_facts(tmp_path / 'none') is None


@pytest.mark.parametrize('name', ['17000000.gpu', '17000000.ga10b'])
def test_how_busy_the_gpu_of_a_jetson_is(tmp_path, name):
    device = tmp_path / name / 'device'
    device.mkdir(parents=True)
    assert jetson_busy_share(tmp_path) is None
    (device / 'load').write_text('437\n')
    assert jetson_busy_share(tmp_path) == 0.437
    (device / 'load').write_text('')
    assert jetson_busy_share(tmp_path) is None
