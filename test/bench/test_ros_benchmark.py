# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu bench --ros`: what is made of times, the search for a rate, and a small real run."""

import io
import json
import sys
import time

import pytest
from rich.console import Console

from mbu_ros.bench import ros_benchmark, ros_machine
from mbu_ros.bench.ros_benchmark import highest_rate, stages
from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.bench.ros_report import print_ros_result
from mbu_ros.cli import main
from mbu_ros.errors import InputError
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model


def exchange(milliseconds, times=None, lost=0, seconds=1.0):
    """Frames sent evenly over `seconds`, answered after so long, and some that were not."""
    count = len(milliseconds) + lost
    sent = {index: index * seconds / max(1, count - 1) for index in range(count)}
    masks = {index: sent[index] + late / 1e3 for index, late in enumerate(milliseconds)}
    return Exchange(sent, masks, times or {})


def test_stages_add_up_to_the_time_end_to_end():
    times = {'received': 5.0, 'wait': 1.0, 'engine': 10.0, 'publish': 2.0, 'total': 13.5}
    echo = {'received': 5.0, 'total': 1.0}
    found = stages(exchange([20.0, 9.0, 7.0], {0: times, 1: echo}))
    assert found['end to end'] == pytest.approx([20.0, 9.0])  # of the third nothing else is known
    assert found['back'] == pytest.approx([1.5, 3.0]) and found['beyond engine'] == [3.5]
    assert found['received'] == [5.0, 5.0]


class Machine:
    """A camera and a node that keeps up with so many frames a second."""

    def __init__(self, node_hz, camera_hz=1e9):
        self.node_hz, self.camera_hz, self.rates, self.used = node_hz, camera_hz, [], 0.0

    def at_rate(self, rate, seconds):
        self.rates.append(rate)
        rate = min(rate, self.camera_hz)
        frames = max(2, round(rate * seconds))
        self.used += frames * 0.004
        lost = 1 if rate > self.node_hz else 0
        return {'': exchange([8.0] * (frames - lost), lost=lost, seconds=(frames - 1) / rate)}

    def cpu_seconds(self):
        return self.used

    def check(self):
        pass


@pytest.mark.parametrize('node_hz', [3.0, 24.0, 25.0, 29.0, 70.0])
def test_the_highest_rate_is_closed_in_on(node_hz):
    machine = Machine(node_hz)
    found = highest_rate(machine, machine, 2.0, exchange([40.0]))  # about 25 Hz
    assert node_hz / 1.09 < found['hz'] <= node_hz * (1 + 1e-9)
    assert not found['limited_by_camera']
    assert found['cpu_ms'] == pytest.approx(4.0)
    assert found['cpu_percent'] == pytest.approx(0.4 * found['hz'], rel=0.01)
    assert len(found['tries']) == len(machine.rates) <= ros_benchmark.MOST_TRIES
    assert [one['lost'] for one in found['tries']].count(0) >= 1


def test_a_camera_that_is_too_slow_ends_the_search():
    machine = Machine(1e6, camera_hz=50.0)
    found = highest_rate(machine, machine, 2.0, exchange([40.0]))
    assert found['hz'] == pytest.approx(50) and found['limited_by_camera']


def test_no_rate_without_drops():
    machine = Machine(0.0)
    found = highest_rate(machine, machine, 2.0, Exchange())
    assert found['hz'] is None and len(found['tries']) == ros_benchmark.MOST_TRIES
    times = {name: {'p50': 1.0, 'p95': 2.0, 'p99': None} for name in ('total', 'end to end')}
    node = {'latency_ms': times, 'frames': 3, 'lost': 3, 'rate': found}
    result = {
        'machine': {'processor': 'x86', 'cores': 2, 'middleware': {'RMW_IMPLEMENTATION': 'rmw_x'}},
        'runs': [{'size': [48, 64], 'engine': 'reference on CPU', 'node': node}],
    }
    written = io.StringIO()
    print_ros_result(result, Console(width=100, file=written))
    for words in ('64x48', 'dropped at every rate', 'RMW_IMPLEMENTATION=rmw_x'):
        assert words in written.getvalue()


def test_a_process_that_ends_is_told_with_its_last_words(tmp_path, monkeypatch):
    (tmp_path / 'talker.py').write_text('import sys; print(sys.argv[1:]); sys.exit("no engine")')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    with RosProcess('talker', '/ns', {'model': '1'}, tmp_path / 'log') as process:
        process._process.wait(20)
        with pytest.raises(InputError, match='exit code 1') as caught:
            process.check()
    assert 'no engine' in str(caught.value)
    assert "'__ns:=/ns', '-p', 'model:=\"1\"'" in str(caught.value)


@pytest.mark.skipif(sys.platform != 'linux', reason='/proc is needed')
def test_cpu_time_and_memory_of_a_process(tmp_path, monkeypatch):
    (tmp_path / 'busy.py').write_text('while True: pass')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    with RosProcess('busy', '/ns', {}, tmp_path / 'log') as process:
        deadline = time.monotonic() + 20
        while process.cpu_seconds() < 0.1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert 1e6 < process.memory_bytes() < 1e9
        process.check()
    assert process._process.poll() is not None
    assert process.cpu_seconds() is None and process.memory_bytes() is None


def test_options_that_do_not_go_together(tmp_path, capsys):
    arguments = ['bench', '--ros', '--out', str(tmp_path)]
    for more, words in (
        (['--batch', '2'], '--batch is of no use with --ros'),
        (['--model', 'no_such_model'], "no model 'no_such_model'"),
    ):
        assert main([*arguments, *more]) == 2
        assert words in capsys.readouterr().err


def test_without_ros(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    assert main(['bench', '--ros', '--out', str(tmp_path)]) == 2
    assert 'rclpy is not installed' in capsys.readouterr().err


def test_a_small_run(tmp_path, capsys, monkeypatch, ros_domain):
    pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
    model = tmp_path / 'small.safetensors'
    save_model(random_model(width=8, depth=1, input_size=(24, 32)), model)
    for name in ros_machine.PROFILES:
        monkeypatch.setenv(name, '')  # so that what is set meanwhile is gone in the end
        monkeypatch.delenv(name)
    monkeypatch.setattr(ros_benchmark, 'MOST_TRIES', 1)
    arguments = ['--size', '64x48', '--frames', '5', '--seconds', '0.1', '--engine', 'reference']
    out = tmp_path / 'out'
    assert main(['bench', '--ros', '--model', str(model), '--out', str(out), *arguments]) == 0
    printed = capsys.readouterr().out
    assert '64x48 rgb8, reference on CPU' in printed and 'received to published' in printed
    result = json.loads((out / 'ros.json').read_text())
    assert result['machine']['middleware'] == ros_machine.middleware()
    (run,) = result['runs']
    assert run['size'] == [48, 64]
    for name in ('node', 'echo'):
        assert (run[name]['frames'], run[name]['lost']) == (5, 0)
        times = {key: value['p50'] for key, value in run[name]['latency_ms'].items()}
        assert 0 < times['total'] < times['end to end'] and times['received'] > 0
        assert run[name]['rate']['tries'][0]['sent'] >= 2
    assert times.keys() < run['node']['latency_ms'].keys()
    assert run['node']['latency_ms']['network']['p50'] > 0
