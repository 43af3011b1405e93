# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch mbu_ros evaluate.launch.py`: it ends by itself, with a report and an exit code."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import numpy as np
from ament_index_python.packages import PackageNotFoundError, get_package_prefix

from mbu_ros.bags.reader import BagReader
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

from ..evaluation.live.bags import CAMERAS, write_two_cameras

FILE = Path(__file__).parents[2] / 'launch' / 'evaluate.launch.py'
STAND_IN = Path(__file__).parent / 'ros2_stand_in.py'
FRAMES = 8
TIMEOUT = 120.0
"""Seconds within which a launch that should end has ended, also on a busy machine."""


@pytest.fixture(autouse=True)
def installed(ros_domain):
    try:
        get_package_prefix('mbu_ros')
    except (PackageNotFoundError, OSError):  # the latter without AMENT_PREFIX_PATH
        pytest.skip('launch files find the package only where it is installed')
    if shutil.which('ros2') is None:
        pytest.skip('ros2 launch comes with ROS 2')


@pytest.fixture
def model(tmp_path):
    """A small random model, and its file."""
    model = random_model(width=8, depth=2, classes=5, input_size=(48, 64))
    save_model(model, tmp_path / 'model.safetensors')
    return model, tmp_path / 'model.safetensors'


class Launch:
    """`ros2 launch` of the file, in a process group of its own.

    Attributes:
        output: all that was written so far.
    """

    def __init__(self, log, arguments):
        command = [shutil.which('ros2', path=os.environ['REAL_PATH']), 'launch', str(FILE)]
        command += [f'{name}:={value}' for name, value in arguments.items()]
        self._log = log
        with open(log, 'wb') as file:
            self._process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def output(self):
        return self._log.read_text(errors='replace')

    def wait_for(self, pattern):
        end = time.monotonic() + TIMEOUT
        while not (found := re.search(pattern, self.output)):
            assert time.monotonic() < end, f'{pattern} did not come:\n{self.output}'
            assert self._process.poll() is None, f'it ended without {pattern}:\n{self.output}'
            time.sleep(0.05)
        return found

    def signal(self, executable, number):
        """Send a signal to a process that was started."""
        os.kill(int(self.wait_for(rf'{executable}-\d\]: process started .*\[(\d+)\]')[1]), number)

    def interrupt(self):
        """Ctrl-C: as a terminal does, to all of them; launch passes it on to them once more."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self):
        """Exit code, once it has ended; nothing that it started may be left."""
        code = self._process.wait(TIMEOUT)
        with pytest.raises(ProcessLookupError):
            os.killpg(self._process.pid, 0)
        return code

    def kill(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._process.wait()


@pytest.fixture
def launch(tmp_path, monkeypatch):
    monkeypatch.setenv('REAL_PATH', os.environ['PATH'])
    started = []

    def start(**arguments):
        started.append(Launch(tmp_path / f'launch{len(started)}.log', arguments))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def rosbag2(tmp_path, monkeypatch):
    """A `ros2 bag play` that is none; returns the file that says how it was called."""
    for package in ('ros2bag', 'rosbag2_interfaces'):
        (tmp_path / 'python' / package).mkdir(parents=True)
        (tmp_path / 'python' / package / '__init__.py').touch()
    # A service without fields in its request, as rosbag2's Resume has none.
    (tmp_path / 'python' / 'rosbag2_interfaces' / 'srv.py').write_text(
        'from lifecycle_msgs.srv import GetState as Resume\n'
    )
    (tmp_path / 'bin').mkdir()
    command = tmp_path / 'bin' / 'ros2'
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path / 'python'), prepend=os.pathsep)
    monkeypatch.setenv('PATH', str(command.parent), prepend=os.pathsep)
    monkeypatch.setenv('STAND_IN_LOG', str(tmp_path / 'called.json'))
    return tmp_path / 'called.json'


def assert_masks_are_those_of_offline(bag, results, model, suffix=''):
    """Returns how many there are."""
    engine, found = ReferenceEngine(model), 0
    for camera in CAMERAS:
        masks = {
            sample.stamp: sample.image[..., 0]
            for sample in BagReader(results, f'{camera}/segmentation/mask', '').samples()
        }
        for sample in BagReader(bag, f'{camera}/image_raw{suffix}', '').samples():
            if sample.stamp in masks:
                expected = engine.segment([sample.image])[0].labels
                np.testing.assert_array_equal(masks[sample.stamp], expected)
        found += len(masks)
    return found


def test_two_cameras_as_on_the_robot_and_our_player(tmp_path, launch, model):
    bag = write_two_cameras(tmp_path / 'bag', FRAMES, storage='sqlite3')
    # A file that names the node precedes those that name all nodes; not what the launch needs.
    robot = tmp_path / 'robot.yaml'
    robot.write_text(
        '/**:\n  ros__parameters: {engine: reference, overlay_alpha: 0.25}\n'
        '/segment:\n  ros__parameters: {autostart: false, transport: compressed}\n'
    )
    run = launch(
        bag=bag,
        model=model[1],
        params_file=robot,
        report=tmp_path / 'report',
        write_bag=tmp_path / 'results',
        player='mbu',
        rate=2.0,
        max_drop=0.9,
    )
    assert run.wait() == 0, run.output
    report = json.loads((tmp_path / 'report' / 'report.json').read_text())
    assert (report['mode'], report['engine'], report['frames_in']) == (
        'live', 'reference', 2 * FRAMES
    )
    found = assert_masks_are_those_of_offline(bag, tmp_path / 'results', model[0])
    assert found == report['frames_out'] == report['labelled_frames']
    assert sum(report['dropped'].values()) == report['frames_dropped']
    configuration = report['configuration']
    assert configuration['node.overlay_alpha'] == 0.25
    assert configuration['node.use_sim_time'] is True
    assert configuration['player'] == 'player_node'
    assert (tmp_path / 'report' / 'report.html').stat().st_size > 0
    assert 'Traceback' not in run.output
    assert 'process has died' not in run.output  # in red, as if something had gone wrong


def test_ros2_bag_play_is_resumed_when_all_listen(tmp_path, launch, model, rosbag2):
    bag = write_two_cameras(tmp_path / 'bag', FRAMES, compressed=True)
    run = launch(
        bag=bag,
        model=model[1],
        engine='reference',
        report=tmp_path / 'report',
        write_bag=tmp_path / 'results',
        min_miou=0.99,
    )
    # The masks of a random model are not that good.
    assert run.wait() == 1, run.output
    assert 'the report missed a threshold' in run.output
    called = json.loads(rosbag2.read_text())
    assert called['bag_path'] == str(bag)
    assert called['topics'] == [f'{camera}/image_raw/compressed' for camera in CAMERAS]
    assert called['start_paused'] and called['clock'] > 0
    report = json.loads((tmp_path / 'report' / 'report.json').read_text())
    assert report['configuration']['player'] == 'ros2 bag play'
    # Nothing was lost at the start or at the end.
    assert report['frames_in'] == 2 * FRAMES
    assert report['dropped'].keys() <= {'superseded'}
    found = assert_masks_are_those_of_offline(
        bag, tmp_path / 'results', model[0], '/compressed'
    )
    assert found == report['frames_out'] > 0
    assert 'Traceback' not in run.output


@pytest.mark.parametrize('name', ['segment_node', 'player_node'])
def test_a_process_that_is_killed_ends_it_with_the_reason(tmp_path, launch, model, name):
    bag = write_two_cameras(tmp_path / 'bag', 100)
    run = launch(bag=bag, model=model[1], engine='reference', report=tmp_path / 'report')
    run.wait_for('playing 200 images')
    time.sleep(1.0)
    run.signal(name, signal.SIGKILL)
    assert run.wait() == 1, run.output
    reason = f'the {name.removesuffix("_node").replace("segment", "node")} was ended by signal 9'
    assert reason in run.output
    report = json.loads((tmp_path / 'report' / 'report.json').read_text())
    assert 0 < report['frames_out'] <= report['frames_in'] < 200
    assert any(reason in note for note in report['notes'])


def test_ctrl_c_reports_what_came_so_far(tmp_path, launch, model):
    bag = write_two_cameras(tmp_path / 'bag', 100)
    run = launch(bag=bag, model=model[1], engine='reference', report=tmp_path / 'report')
    run.wait_for('playing 200 images')
    time.sleep(1.0)
    run.interrupt()
    assert run.wait() == 1, run.output
    assert json.loads((tmp_path / 'report' / 'report.json').read_text())['frames_out'] > 0


@pytest.mark.parametrize(
    'arguments, words',
    [
        ({'bag': '/no/such/bag'}, ['no such bag']),
        ({'image_topic': '/left'}, ['no topic /left', '/front/image_raw', '/rear/image_raw']),
        ({'rate': 'fast'}, ['rate:=fast is not a number']),
        ({'max_drop': '3'}, ['max-drop is 3']),
        ({'player': 'ros2'}, ['ros2 bag is not installed', 'player:=mbu']),
        ({'model': 'unknown'}, ["no model 'unknown'"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_bad_arguments_start_nothing(tmp_path, launch, arguments, words):
    bag = write_two_cameras(tmp_path / 'bag', 1)
    run = launch(**{'bag': bag, **arguments})
    assert run.wait() == 1
    for word in words:
        assert word in run.output
    assert 'process started' not in run.output
