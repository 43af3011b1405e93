# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu soak`: what fails it, what it samples, and a short real run."""

import csv
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mbu_ros.cli import main
from mbu_ros.commands import soak as command
from mbu_ros.errors import InputError
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model
from mbu_ros.soak import run
from mbu_ros.soak.faults import frame_faults, growth_faults
from mbu_ros.soak.judgement import FEWEST_SAMPLES, Verdict
from mbu_ros.soak.process_sample import GpuMemory, sample_process
from mbu_ros.soak.quantities import QUANTITIES, quantities
from mbu_ros.soak.samples import COLUMNS, SampleFile


def counts(sent=100, answered=100, lost=0):
    return {'sent': sent, 'answered': answered, 'lost': lost}


def test_every_frame_has_to_come_back():
    assert frame_faults(counts(), {}) == []
    assert frame_faults(counts(answered=97, lost=3), {}) == ['3 of 100 frames came to nothing']
    assert frame_faults(counts(answered=0, lost=100), {}) == ['no mask came']


def test_frames_that_a_newer_one_superseded_are_not_lost():
    said = {'Frames dropped (superseded)': '30'}
    assert frame_faults(counts(answered=70, lost=30), said) == []
    assert frame_faults(counts(answered=69, lost=31), said) == ['1 of 100 frames came to nothing']


@pytest.mark.parametrize(
    'key, words',
    [
        ('Frames dropped (bad)', 'dropped 2 frames (bad)'),
        ('Frames dropped (engine)', 'dropped 2 frames (engine)'),
        ('Frames lost (middleware)', 'middleware lost 2'),
    ],
)
def test_what_the_node_says_it_lost(key, words):
    (fault,) = frame_faults(counts(), {key: '2'})
    assert words in fault


def test_a_queue_of_images_more_is_no_growth():
    (small, *others), (large, *same) = quantities((48, 64), 30.0), quantities((1000, 2000), 30.0)
    assert (small.key, small.floor) == ('rss_mb', 4.0)
    assert large.floor == pytest.approx(30)
    assert others == same
    # One by one, as by default, hardly any wait: then less is a leak.
    (closed, *same) = quantities((1000, 2000), 0.0)
    assert closed.floor == pytest.approx(12) and others == same


def test_growth_is_told_with_its_unit():
    verdict = Verdict(100.0, 150.0, 50.0, 4.0, 0.0, True)
    calm = Verdict(20.0, 20.0, 0.0, 0.5, 1.0, False)
    (fault,) = growth_faults({'rss_mb': verdict, 'threads': calm})
    assert fault == 'resident memory grew by 50 MB after the warm-up; 4 is allowed'


@pytest.mark.skipif(sys.platform != 'linux', reason='/proc is needed')
def test_what_a_process_takes(tmp_path):
    before = sample_process(os.getpid())
    with (tmp_path / 'one').open('w'), (tmp_path / 'two').open('w'):
        during = sample_process(os.getpid())
    assert during['handles'] == before['handles'] + 2
    assert before['rss_mb'] > 10 and before['threads'] >= 1
    with pytest.raises(InputError, match='cannot be read'):
        sample_process(2**22 + 1)


class Gpu:
    def __init__(self, used=None, of_process=None):
        self.used, self.of_process = used, of_process

    def memory_used(self):
        return self.used

    def memory_of(self, pid):
        return self.of_process


@pytest.mark.parametrize(
    'gpu, source, megabytes',
    [
        (None, 'of the engine, as it counts itself', 1.5),
        (Gpu(), 'of the engine, as it counts itself', 1.5),
        (Gpu(used=3_000_000), 'of all processes (NVML)', 3.0),
        (Gpu(used=3_000_000, of_process=2_000_000), 'of the process (NVML)', 2.0),
    ],
)
def test_whose_gpu_memory_it_is(gpu, source, megabytes):
    memory = GpuMemory(gpu, 17)
    told = {'GPU memory of the engine (MB)': '1.5'}
    assert (memory.source, memory.megabytes(told)) == (source, megabytes)
    if gpu is None:
        assert memory.megabytes({}) is None


def test_samples_are_on_the_disk_at_once(tmp_path):
    path = tmp_path / 'new' / 'samples.csv'
    with SampleFile(path) as file:
        file.add(dict.fromkeys(COLUMNS, 1.23456) | {'gpu_mb': None})
        (row,) = csv.DictReader(path.read_text().splitlines())
    assert row['rss_mb'] == '1.235' and row['gpu_mb'] == '' and tuple(row) == COLUMNS


@pytest.mark.parametrize('hours', ['0', '0.01', '-1', 'nan', 'long', '1e9'])
def test_times_that_tell_nothing_are_refused(hours, capsys):
    with pytest.raises(SystemExit):
        main(['soak', '--hours', hours])
    assert 'not a number of hours' in capsys.readouterr().err


def test_a_bad_model_and_missing_ros_are_said_before_the_work(tmp_path, capsys, monkeypatch):
    arguments = ['soak', '--out', str(tmp_path / 'out')]
    assert main([*arguments, '--model', 'no_such_model']) == 2
    assert "no model 'no_such_model'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    assert main(arguments) == 2
    assert 'rclpy is not installed' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.fixture
def soak(tmp_path, monkeypatch, ros_domain):
    """Run the command for some seconds on a small model; the exit code and soak.json."""
    pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
    model = tmp_path / 'small.safetensors'
    save_model(random_model(width=8, depth=1, input_size=(24, 32)), model)
    monkeypatch.setattr(command, 'SHORTEST_SECONDS', 1.0)
    monkeypatch.setattr(run, 'INTERVAL_SHARE', 1 / 60)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def start(seconds, *arguments):
        arguments = ['--size', '64x48', '--frames', '3', '--engine', 'reference', *arguments]
        arguments += ['--hours', str(seconds / 3600), '--model', str(model)]
        code = main(['soak', '--out', str(tmp_path / 'out'), *arguments])
        return code, json.loads((tmp_path / 'out' / 'soak.json').read_text())

    yield start
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.alone
def test_a_short_run(soak, tmp_path, capsys):
    code, result = soak(4)
    printed = capsys.readouterr().out
    # In so short a time memory still fills; but nothing may be lost.
    assert not any('came to nothing' in fault for fault in result['faults'])
    assert code == bool(result['faults']) and ('FAILED' in printed) == bool(code)
    frames = result['frames']
    assert frames['sent'] == frames['answered'] + frames['lost'] > 20
    assert result['node']['Frames received'] == str(frames['sent'])
    assert result['engine'].startswith('reference on CPU')
    samples = list(csv.DictReader((tmp_path / 'out' / 'samples.csv').read_text().splitlines()))
    assert len(samples) == len(result['samples']) >= 10
    assert float(samples[-1]['rss_mb']) > 10 and samples[-1]['gpu_mb'] == ''
    # On a busy machine there may be too few samples to judge some of them.
    judged = [sample for sample in result['samples'] if sample['seconds'] >= result['warm_up']]
    known = {
        quantity.key: [sample for sample in judged if sample[quantity.key] is not None]
        for quantity in QUANTITIES
    }
    assert len(known['rss_mb']) > 3 and not known['gpu_mb']
    assert set(result['verdicts']) == {
        key for key, found in known.items() if len(found) >= FEWEST_SAMPLES
    }
    picture = tmp_path / 'out' / 'soak.png'
    assert not picture.exists() or picture.read_bytes().startswith(b'\x89PNG')


def test_what_the_node_says_in_between_fails_it_and_so_does_silence():
    settings = run.SoakSettings(60.0, 'model', 'auto', (48, 64), 0.0, 3, Path('out'))
    watch = run._Watch(settings, None, None, None, None, print)
    frames = {'frames': {'values': {'Frames received': '100'}}}
    watch._count({**counts(), 'node': frames, 'complaints': {}})
    assert run._result(settings, watch, [])['faults'] == []
    watch._count({**counts(), 'node': frames, 'complaints': {'ERROR (engine)': 'the GPU is gone'}})
    watch._count({**counts(), 'node': frames, 'complaints': {'ERROR (engine)': 'still'}})
    assert run._result(settings, watch, [])['faults'] == [
        'the diagnostics said ERROR (engine): the GPU is gone'
    ]
    silent = run._Watch(settings, None, None, None, None, print)
    silent._count({**counts(), 'node': {}, 'complaints': {}})
    (fault,) = run._result(settings, silent, [])['faults']
    assert 'did not come' in fault


def test_a_node_that_dies_fails_it(soak, monkeypatch, capsys):
    sampled = []

    def sample(pid):
        sampled.append(pid)
        if len(sampled) == 3:
            os.kill(pid, 9)
            time.sleep(0.2)
        return sample_process(pid)

    monkeypatch.setattr(run, 'sample_process', sample)
    code, result = soak(4)
    assert code == 1
    assert any('ended' in fault for fault in result['faults']), result['faults']
    assert 'FAILED' in capsys.readouterr().out


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_stopped_judges_what_there_is(soak, monkeypatch, tmp_path, number):
    sampled = []

    def sample(pid):
        sampled.append(pid)
        if len(sampled) == 20:
            # As from timeout(1): to the whole group, and twice to the first of it.
            os.kill(pid, number)
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
        return sample_process(pid)

    monkeypatch.setattr(run, 'sample_process', sample)
    monkeypatch.setattr(run, 'INTERVAL_SHARE', 1 / 300)
    code, result = soak(60)
    assert code == 1
    assert any('it was stopped after' in fault for fault in result['faults']), result['faults']
    assert not any('came to nothing' in fault for fault in result['faults'])
    assert len(result['samples']) == 19 and 'rss_mb' in result['verdicts']
    assert (tmp_path / 'out' / 'soak.png').exists()
    with pytest.raises(ProcessLookupError):
        os.kill(sampled[0], 0)
