# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu bench --ros --cameras N`: fairness, what is made of counts, and a small real run."""

import json
import sys

import pytest

from mbu_ros.bench import ros_load, ros_machine
from mbu_ros.bench.ros_load import describe_camera, jain
from mbu_ros.cli import main
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model


@pytest.mark.parametrize(
    'shares, index',
    [([30.0] * 8, 1.0), ([8.0, 0, 0, 0], 0.25), ([2.0, 1.0], 0.9), ([0.0, 0.0], None)],
)
def test_fairness(shares, index):
    assert jain(shares) == (None if index is None else pytest.approx(index))


def told(sent, answered, seconds=2.0, **values):
    return {
        'seconds': seconds,
        'sent': sent,
        'answered': answered,
        'lost': 0,
        'latency_ms': {'p50': 5.0, 'p95': 6.0, 'p99': 7.0},
        'node': {'frames': {'values': values}} if values else {},
    }


def test_rates_are_of_the_measured_time_and_counts_of_all():
    values = {
        'Frames received': '118',
        'Frames dropped (superseded)': '20',
        'Frames dropped (bad)': '0',
        'Frames dropped (engine)': '3',
    }
    found = describe_camera('front', told(40, 40), told(60, 30), told(20, 25, **values))
    assert (found['sent_hz'], found['masks_hz']) == (30.0, 15.0)
    assert (found['sent'], found['masks'], found['received']) == (120, 95, 118)
    assert found['superseded'] == 20 and found['dropped'] == {'engine': 3}
    silent = describe_camera('front', told(1, 0), told(1, 0), told(0, 0))
    assert silent['received'] is None and silent['superseded'] is None


def test_options_that_do_not_go_together(tmp_path, capsys):
    for more, words in (
        (['--cameras', '2'], '--cameras needs --ros'),
        (['--ros', '--rate', '30'], '--rate needs --cameras'),
        (['--ros', '--cameras', '65'], '64 at most'),
        (['--ros', '--cameras', '2', '--size', '64x48', '--size', '32x32'], 'one --size'),
        (['--ros', '--cameras', '2', '--width', '8'], 'only --model'),
        (['--ros', '--cameras', '2', '--model', 'no_such_model'], 'no model'),
    ):
        assert main(['bench', '--out', str(tmp_path), *more]) == 2
        assert words in capsys.readouterr().err


def test_without_ros(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    assert main(['bench', '--ros', '--cameras', '2', '--out', str(tmp_path)]) == 2
    assert 'rclpy is not installed' in capsys.readouterr().err


@pytest.mark.alone
def test_a_small_run(tmp_path, capsys, monkeypatch, ros_domain):
    pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
    model = tmp_path / 'small.safetensors'
    save_model(random_model(width=8, depth=1, input_size=(24, 32)), model)
    for name in ros_machine.PROFILES:
        monkeypatch.setenv(name, '')  # so that what is set meanwhile is gone in the end
        monkeypatch.delenv(name)
    monkeypatch.setattr(ros_load, 'WARM_UP_SECONDS', 0.5)
    arguments = ['--ros', '--cameras', '2', '--rate', '5', '--size', '64x48', '--seconds', '2']
    arguments += ['--engine', 'reference', '--model', str(model), '--out', str(tmp_path / 'out')]
    assert main(['bench', *arguments]) == 0
    printed = capsys.readouterr().out
    assert '2 cameras, 64x48 rgb8 at 5 Hz, reference on CPU' in printed and 'Jain' in printed
    result = json.loads((tmp_path / 'out' / 'load.json').read_text())
    assert [camera['name'] for camera in result['cameras']] == ['camera0', 'camera1']
    for camera in result['cameras']:
        assert 0 < camera['masks'] <= camera['received'] <= camera['sent']
        drops = camera['superseded'] + sum(camera['dropped'].values())
        assert camera['masks'] + drops == camera['received']
        assert 0 < camera['latency_ms']['p50'] <= camera['latency_ms']['p99']
    assert 0.5 < result['total']['fairness'] <= 1
    assert result['total']['asked_hz'] == 10
