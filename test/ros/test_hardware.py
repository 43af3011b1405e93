# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What machines tell of themselves, each made of files or of a fake NVML. No ROS here."""

import sys
import threading

import pytest

from mbu_ros.bench.gpu import NvmlGpu
from mbu_ros.bench.rails import find_rails
from mbu_ros.node import hardware

from ..bench.fakes import FakeNvmlError, fake_nvml


def refuse(*_):
    raise FakeNvmlError('not supported')


def test_a_gpu_with_nvml():
    values = hardware.gpu_values(NvmlGpu(fake_nvml(), 0))
    assert values == {
        'GPU PCI bus': '00000000:41:00.0',
        'GPU temperature (C)': '31',
        'GPU power (W)': '123.4',
        'GPU power limit (W)': '700.0',
        'GPU clock (MHz)': '1755',
        'NVIDIA driver': '580.1',
    }
    silent = fake_nvml(nvmlDeviceGetPowerUsage=refuse, nvmlDeviceGetTemperature=refuse)
    values = hardware.gpu_values(NvmlGpu(silent, 0))
    assert set(values) == {
        *('GPU PCI bus', 'GPU power limit (W)', 'GPU clock (MHz)', 'NVIDIA driver')
    }
    assert hardware.gpu_values(None) == {}


def zone(root, number, name, text):
    folder = root / f'thermal_zone{number}'
    folder.mkdir(parents=True)
    (folder / 'type').write_text(f'{name}\n')
    if text is not None:
        (folder / 'temp').write_text(text)


@pytest.mark.parametrize('name', ['gpu-thermal', 'GPU-therm'])
def test_the_zones_of_a_jetson(tmp_path, name):
    zone(tmp_path, 0, 'cpu-thermal', '48750\n')
    zone(tmp_path, 1, name, '46500\n')
    zone(tmp_path, 2, 'cv0-thermal', '-256000\n')  # switched off
    zone(tmp_path, 3, 'cv1-thermal', None)
    zone(tmp_path, 4, 'tj-thermal', '49125\n')
    zone(tmp_path, 5, 'odd', 'hot')
    assert hardware.zone_values(tmp_path) == {
        'GPU temperature (C)': '46.5',
        'Hottest zone': 'tj-thermal',
        'Hottest zone (C)': '49.1',
    }
    assert hardware.zone_values(tmp_path / 'none') == {}


def test_the_rails_of_a_jetson(tmp_path):
    monitor = tmp_path / '1-0040' / 'hwmon' / 'hwmon1'
    monitor.mkdir(parents=True)
    for name, text in (('in1_label', 'VDD_IN'), ('in1_input', '5000'), ('curr1_input', '1250')):
        (monitor / name).write_text(text)
    rails = find_rails(tmp_path)
    assert hardware.rail_values(rails) == {'Module power (W)': '6.25'}
    (monitor / 'curr1_input').unlink()
    assert hardware.rail_values(rails) == {}
    assert hardware.rail_values([]) == {}


def test_the_memory_of_the_process(tmp_path):
    (tmp_path / 'status').write_text('Name:\tpython\nVmRSS:\t  250000 kB\nThreads:\t4\n')
    assert hardware.process_values(tmp_path / 'status') == {'Process memory (MB)': '256'}
    assert hardware.process_values(tmp_path / 'none') == {}


def test_the_monitor_reads_in_its_own_thread_until_it_is_closed(monkeypatch, wait_until):
    calls = []
    nvml = fake_nvml(nvmlShutdown=lambda: calls.append('shutdown'))
    monkeypatch.setitem(sys.modules, 'pynvml', nvml)
    monkeypatch.setattr(hardware, 'INTERVAL_SECONDS', 0.01)
    monitor = hardware.HardwareMonitor()
    wait_until(lambda: monitor.values.get('GPU temperature (C)') == '31', 'a temperature')
    nvml.nvmlDeviceGetTemperature = lambda *_: 77
    wait_until(lambda: monitor.values.get('GPU temperature (C)') == '77', 'another')
    assert not calls
    monitor.close()
    monitor.close()
    assert calls == ['shutdown']


def test_a_sensor_that_hangs_keeps_nobody_from_ending(monkeypatch, wait_until):
    asked, go_on = threading.Event(), threading.Event()

    def hang(*_):
        asked.set()
        go_on.wait(60)

    monkeypatch.setitem(sys.modules, 'pynvml', fake_nvml(nvmlDeviceGetTemperature=hang))
    monkeypatch.setattr(hardware, 'PATIENCE_SECONDS', 0.01)
    monitor = hardware.HardwareMonitor()
    wait_until(asked.is_set, 'the question')
    monitor.close()
    assert monitor._thread.is_alive() and monitor._thread.daemon
    go_on.set()
    monitor._thread.join(20)
    assert not monitor._thread.is_alive()
