# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`find_peak` with a real node, and what stands in its way."""

import io
import json
import sys

import pytest
from rich.console import Console

from mbu_ros.bench import ros_machine
from mbu_ros.bench.ros_frames import random_frame
from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.errors import InputError
from mbu_ros.evaluation.peak import measure, peak
from mbu_ros.evaluation.peak.peak import find_peak
from mbu_ros.evaluation.peak.preload import Preloaded
from mbu_ros.evaluation.peak.table import print_peak
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

CAMERA = Preloaded('/camera', [random_frame(24, 32, seed) for seed in range(3)], complete=False)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / 'small.safetensors'
    save_model(random_model(width=8, depth=1, input_size=(24, 32)), path)
    return str(path)


@pytest.fixture
def ros(monkeypatch, ros_domain):
    pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
    for name in ros_machine.PROFILES:
        monkeypatch.setenv(name, '')  # so that what is set meanwhile is gone in the end
        monkeypatch.delenv(name)


def shown(found):
    written = io.StringIO()
    print_peak(found, Console(width=80, file=written))
    return written.getvalue()


@pytest.mark.alone
def test_a_small_run_of_two_cameras(model, ros, monkeypatch):
    monkeypatch.setattr(measure, 'FEWEST_FRAMES', 2)
    said = []
    found = find_peak(
        [CAMERA, CAMERA],
        model,
        'reference',
        rates=[20.0],
        max_drop=0.9,  # a busy machine may drop most of so few frames
        seconds=0.2,
        say=said.append,
    )
    assert json.loads(json.dumps(found)) == found
    assert found['engine'].startswith('reference on CPU')
    assert found['frames_preloaded'] == 6
    assert [one['source'] for one in found['cameras']] == ['/camera', '/camera']
    assert any('the first 3 images' in note for note in found['notes'])
    run, *_ = found['runs']
    assert (run['asked_hz'], run['is_peak'], run['sent']) == (20.0, False, 8)
    assert run['received'] + run['dropped'] == run['sent']
    assert run['latency_ms']['count'] == run['received'] > 0
    assert 0 < run['latency_ms']['min'] <= run['latency_ms']['max']
    assert found['peak_hz'] == found['runs'][-1]['rate_hz'] and found['runs'][-1]['is_peak']
    assert found['tries'][-1]['hz'] == found['peak_hz']
    assert said[0] == 'starting the node' and len(said) == 3 + len(found['tries'])
    text = shown(found)
    assert f'Peak: {found["peak_hz"]:.1f} Hz from each of 2 cameras' in text
    assert 'at most 90 %' in text and 'the first 3 images' in text


def test_a_node_that_dies_is_told_with_its_log(model, ros, monkeypatch):
    processes = []

    class Watched(RosProcess):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            processes.append(self)

    def say(line):
        if ' Hz: ' in line:
            processes[0]._process.kill()

    monkeypatch.setattr(peak, 'RosProcess', Watched)
    with pytest.raises(InputError, match='ended by signal 9') as caught:
        find_peak([CAMERA], model, 'reference', rates=[20.0], seconds=0.2, say=say)
    assert 'Engine: reference on CPU' in str(caught.value)


def test_a_node_that_cannot_start_is_told_with_its_log(model, ros):
    with pytest.raises(InputError, match='the node ended with exit code') as caught:
        find_peak([CAMERA], model, 'no_such_engine')
    assert 'no_such_engine' in str(caught.value)


def test_what_is_said_before_the_work(model, tmp_path, monkeypatch):
    with pytest.raises(InputError, match='no camera'):
        find_peak([], model)
    with pytest.raises(InputError, match='rate of -1'):
        find_peak([CAMERA], model, rates=[-1.0])
    with pytest.raises(InputError, match='no_such_model'):
        find_peak([CAMERA], 'no_such_model')
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    with pytest.raises(InputError, match='rclpy is not installed'):
        find_peak([CAMERA], model)


def test_the_table_leaves_out_what_is_not_known():
    latency = dict.fromkeys(('min', 'mean', 'p50', 'p95', 'p99'), 2.0)
    latency = {**latency, 'count': 9, 'max': 1234.4}
    run = {
        **{'is_peak': False, 'asked_hz': 60.0, 'rate_hz': 42.0, 'sent': 10, 'received': 9},
        **{'dropped': 1, 'drop_share': 0.1, 'latency_ms': {**latency, 'jitter': None}},
        **{'cpu_percent': 150.0, 'memory_mb': 300.0, 'gpu_percent': None, 'gpu_memory_mb': None},
        **{'watts': None, 'joules_per_frame': 0.0123, 'energy_source': None},
    }
    found = {
        **{'max_drop': 0.01, 'engine': 'cuda', 'cameras': [{}], 'peak_hz': None},
        **{'limited_by_player': False, 'runs': [run], 'notes': ['[no] energy']},
    }
    text = shown(found)
    assert 'no rate was found with at most 1 %' in text
    for words in ('42.0 Hz of 60', '10.0 %', '150', '12.3', '1234'):
        assert words in text
    assert 'GPU' not in text and 'mJ/frame' in text and '[no] energy' in text
    assert '0.024 Hz' in shown({**found, 'peak_hz': 0.0242})
    limited = {**found, 'peak_hz': 42.0, 'limited_by_player': True, 'runs': []}
    assert 'Peak: 42.0 Hz with' in shown(limited) and 'may do more' in shown(limited)
