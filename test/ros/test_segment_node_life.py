# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's beginning and end: lifecycle from outside, bad starts, failures of an engine."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import fill_image
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

MODULE = 'mbu_ros.node.segment_node'


@pytest.fixture(scope='module')
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'small.safetensors'
    save_model(random_model(width=8, depth=1, input_size=(32, 48)), path)
    return path


def frame(number=1):
    message = Image()
    message.header.stamp.sec = number
    fill_image(message, np.full((20, 30, 3), number % 256, np.uint8), 'rgb8')
    return message


def test_lifecycle_from_outside(start_node, peer, wait_until, model_file):
    process = start_node(MODULE, {'model': model_file, 'engine': 'reference', 'autostart': False})
    masks = peer.collect(Image, '/segmentation/mask')
    publisher = peer.node.create_publisher(Image, '/image', 5)

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return peer.call(ChangeState, '/segment/change_state', request).success

    def state():
        return peer.call(GetState, '/segment/get_state', GetState.Request()).current_state.label

    def masks_come():
        before = len(masks)

        def another():
            publisher.publish(frame(before))
            time.sleep(0.02)
            return len(masks) > before

        wait_until(another, 'a mask')

    assert state() == 'unconfigured'
    assert not change(Transition.TRANSITION_ACTIVATE)
    assert change(Transition.TRANSITION_CONFIGURE) and state() == 'inactive'
    assert 'Engine: reference' in process.output
    assert publisher.get_subscription_count() == 0
    assert change(Transition.TRANSITION_ACTIVATE) and state() == 'active'
    masks_come()

    assert change(Transition.TRANSITION_DEACTIVATE) and state() == 'inactive'
    wait_until(lambda: publisher.get_subscription_count() == 0, 'the end of the subscription')
    before = len(masks)
    for number in range(5):
        publisher.publish(frame(number))
    time.sleep(0.3)
    assert len(masks) == before

    assert change(Transition.TRANSITION_ACTIVATE)
    masks_come()
    assert change(Transition.TRANSITION_DEACTIVATE)
    assert change(Transition.TRANSITION_CLEANUP) and state() == 'unconfigured'
    wait_until(lambda: peer.node.count_publishers('/segmentation/mask') == 0, 'no publisher')
    assert change(Transition.TRANSITION_CONFIGURE) and change(Transition.TRANSITION_ACTIVATE)
    masks_come()
    assert change(Transition.TRANSITION_ACTIVE_SHUTDOWN) and state() == 'finalized'
    assert process.stop() == 0
    assert 'Traceback' not in process.output


def test_a_model_that_fails_leaves_the_node_unconfigured(start_node, peer, model_file, tmp_path):
    path = tmp_path / 'late.safetensors'
    process = start_node(MODULE, {'model': path, 'autostart': False})

    def configure():
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
        return peer.call(ChangeState, '/segment/change_state', request).success

    assert not configure()
    process.wait_for('Cannot be configured')
    path.write_bytes(model_file.read_bytes())
    assert configure()
    assert process.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    'parameters, words',
    [
        ({'model': 'no_such_model'}, "Cannot be configured: no model 'no_such_model'"),
        ({'model': 'BROKEN'}, 'Cannot be configured: '),
        ({'engine': 'cuda'}, "Cannot be configured: engine 'cuda'"),
        ({'engine': 'tpu'}, 'engine must be one of auto, reference, cuda'),
        ({'reliability': 'maybe'}, 'reliability must be one of best_effort, reliable'),
        ({'queue_depth': 0}, 'queue_depth out of range'),
        ({'overlay_alpha': 1.5}, 'overlay_alpha out of range'),
        ({'overlay_alpha': 'half'}, "expecting type 'DOUBLE'"),
    ],
)
def test_bad_starts_end_with_one_line(
    start_node, model_file, tmp_path, monkeypatch, parameters, words
):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    broken = tmp_path / 'broken.safetensors'
    broken.write_bytes(model_file.read_bytes()[:-100])
    if parameters.get('model') == 'BROKEN':
        parameters, words = {'model': broken}, f'{words}{broken}'
    process = start_node(MODULE, {'model': model_file} | parameters)
    assert process.wait() == 1
    lines = process.output.splitlines()
    assert len(lines) == 1 and words in lines[0], process.output


def test_a_parameter_file_that_is_not_there(start_node, tmp_path):
    process = start_node(MODULE, arguments=['--ros-args', '--params-file', str(tmp_path / 'no')])
    assert process.wait() == 1
    assert "Couldn't parse params file" in process.output and 'Traceback' not in process.output


def test_the_shipped_parameter_file_is_taken_as_it_is(start_node, model_file):
    path = Path(__file__).parents[2] / 'config' / 'segment.param.yaml'
    arguments = ['--ros-args', '--params-file', str(path)]
    process = start_node(MODULE, {'model': model_file, 'engine': 'reference'}, arguments=arguments)
    process.wait_for('Active')
    assert process.stop() == 0
    assert '[WARN]' not in process.output and '[ERROR]' not in process.output


def test_a_parameter_that_is_not_there_is_told(start_node, model_file):
    process = start_node(MODULE, {'model': model_file, 'overlay_alfa': 0.1, 'engine': 'reference'})
    process.wait_for('Active')
    assert process.stop() == 0
    assert 'are ignored: overlay_alfa (is overlay_alpha meant?)' in process.output


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_while_a_model_is_made(start_node, peer, model_file, tmp_path, number):
    slow = tmp_path / 'slow.safetensors'
    save_model(random_model(width=16, depth=2, input_size=(480, 640)), slow)
    process = start_node(MODULE, {'model': model_file, 'engine': 'reference'})
    process.wait_for('Active')
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(slow))
    request = SetParameters.Request(parameters=[Parameter(name='model', value=value)])
    results = peer.call(SetParameters, '/segment/set_parameters', request).results
    assert results[0].successful
    process.wait_for('being made ready')
    assert process.stop(number) == 0
    assert 'Traceback' not in process.output and 'rror' not in process.output
    assert f'from {slow}' not in process.output, 'it ended before the change'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_while_idle_and_while_starting(start_node, model_file, number):
    idle = start_node(MODULE, {'model': model_file})
    idle.wait_for('Active')
    starting = start_node(MODULE, {'model': model_file})
    starting.wait_for('Engine:')
    for process in (idle, starting):
        assert process.stop(number) == 0
        assert 'Traceback' not in process.output


def test_auto_without_a_gpu_is_the_reference_and_says_why(
    start_node, peer, wait_until, model_file, monkeypatch
):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    process = start_node(MODULE, {'model': model_file})
    process.wait_for('Active')
    assert 'Engine: reference on CPU' in process.output
    assert '(no CUDA engine: ' in process.output

    def engine_status():
        found = [s for a in list(arrays) for s in a.status if s.name == 'segment: engine']
        return found[-1] if found else None

    status = wait_until(engine_status, 'a diagnostic')
    assert status.level == DiagnosticStatus.OK and '(no CUDA engine: ' in status.message
    assert {item.key: item.value for item in status.values}['Engine'] == 'reference'
