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

from ..engine.cuda.fake_gpu import FakeGpu
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


@pytest.fixture
def handle_asked(nvml, monkeypatch):
    """`handle_asked(visible)`: of which GPU NVML is asked with this CUDA_VISIBLE_DEVICES."""

    def ask(visible):
        if visible is not None:
            monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
        asked = []
        nvml.nvmlDeviceGetName = lambda found: asked.append(found) or 'x'
        with open_nvml() as (gpu, _):
            gpu.facts()
        return asked

    return ask


@pytest.fixture
def fake_gpu(monkeypatch):
    fake = FakeGpu({}, devices=2)
    monkeypatch.setitem(sys.modules, 'pycuda', types.ModuleType('pycuda'))
    monkeypatch.setitem(sys.modules, 'pycuda.driver', fake.driver)
    return fake


@pytest.mark.parametrize('visible', [None, '3', '3,1', 'GPU-abc', ''])
def test_the_gpu_of_the_engine_by_its_place(nvml, fake_gpu, handle_asked, visible):
    # Whatever the variable says: CUDA has applied it already, and NVML knows nothing of it.
    nvml.nvmlDeviceGetCount = lambda: 4
    assert handle_asked(visible) == ['gpu at 0000:40:00.0']


def test_the_only_gpu_needs_no_question(fake_gpu, handle_asked):
    fake_gpu.fails.add('init')
    assert handle_asked(None) == ['gpu0']


def test_a_part_of_a_gpu_by_its_name(fake_gpu, handle_asked):
    assert handle_asked('MIG-abc') == ['MIG-abc']


@pytest.mark.parametrize(
    ('visible', 'handle'), [('2,3', 'gpu2'), ('GPU-abc', 'GPU-abc'), (' 1', 'gpu1')]
)
def test_the_first_gpu_that_cuda_would_show(nvml, monkeypatch, handle_asked, visible, handle):
    monkeypatch.setitem(sys.modules, 'pycuda.driver', None)
    assert handle_asked(visible) == [handle]


def test_a_gpu_without_a_place_on_the_bus(nvml, fake_gpu, handle_asked):
    nvml.nvmlDeviceGetHandleByPciBusId = fail
    assert handle_asked('1') == ['gpu1']


def test_a_machine_that_does_not_count_its_gpus(nvml, handle_asked):
    nvml.nvmlDeviceGetCount = fail
    assert handle_asked(None) == ['gpu0']


@pytest.mark.parametrize('place', ['00000000:41:00.0', b'00000000:41:00.0'])
def test_its_place_is_told(place):
    told = types.SimpleNamespace(busId=place)
    gpu = NvmlGpu(fake_nvml(nvmlDeviceGetPciInfo=lambda handle: told), 'gpu0')
    assert gpu.state()['pci_bus_id'] == '00000000:41:00.0'
    assert NvmlGpu(fake_nvml(nvmlDeviceGetPciInfo=fail), 'gpu0').state()['pci_bus_id'] is None


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
