# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of the lifecycle and the attempts that follow them; time that does not come."""

import signal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import TransitionEvent
from lifecycle_msgs.srv import GetState
from rclpy.lifecycle import TransitionCallbackReturn
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.imaging.messages import fill_image
from mbu_ros.model.file import save_model
from mbu_ros.node import diagnostics, simulated_time

from .workshop import MODEL, make_node, spinning

MODULE = 'mbu_ros.node.segment_node'
SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)


@pytest.fixture(scope='module')
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'small.safetensors'
    save_model(MODEL, path)
    return str(path)


@pytest.fixture
def make(ros, shop, model_file, request):
    """Make the node, under the test's own name; it is destroyed in the end."""
    nodes = []

    def make_one(**parameters):
        name = request.function.__name__
        nodes.append(make_node(name, {'model': model_file} | parameters))
        return nodes[-1]

    yield make_one
    for node in nodes:
        node.destroy_node()


def state(peer, node):
    name = f'/{node.get_name()}/get_state'
    return peer.call(GetState, name, GetState.Request()).current_state.label


def collect_status(peer, subtask):
    """A function that gives the newest status of a subtask, whatever the node's name."""
    arrays = peer.collect(DiagnosticArray, '/diagnostics')

    def newest(level=None):
        found = [s for a in list(arrays) for s in a.status if s.name.endswith(f': {subtask}')]
        return found[-1] if found and level in (None, found[-1].level) else None

    return newest


def test_attempts_go_on_until_one_succeeds(make, shop, peer, wait_until):
    status = collect_status(peer, 'engine')
    shop.refusals = [EngineUnavailable('no GPU yet')] * 3
    node = make(retry_seconds=0.4)
    assert node.start(), 'a start that is still to come is no failure'
    with spinning(node):
        found = wait_until(lambda: status(DiagnosticStatus.ERROR), 'an error')
        assert "cannot be configured: engine 'auto': no GPU yet; trying again in" in found.message
        wait_until(lambda: state(peer, node) == 'active', 'the start')
        assert len(shop.made) == 1 and not shop.refusals
        wait_until(lambda: status(DiagnosticStatus.OK), 'the end of the error')


def test_without_retry_or_autostart_there_is_one_attempt(make, shop, peer, wait_until):
    shop.refusals = [EngineUnavailable('no GPU')] * 9
    assert not make().start()
    assert len(shop.refusals) == 8
    node = make(autostart=False, retry_seconds=0.1)
    status = collect_status(peer, 'engine')
    with spinning(node):
        assert node.trigger_configure() == FAILURE
        found = wait_until(lambda: status(DiagnosticStatus.ERROR), 'an error')
        assert 'no GPU' in found.message and 'again' not in found.message
        assert len(shop.refusals) == 7 and state(peer, node) == 'unconfigured'


def test_a_manager_may_be_faster_than_the_next_attempt(make, shop, peer):
    shop.refusals = [EngineUnavailable('no GPU yet')]
    node = make(retry_seconds=0.2)
    assert node.start()
    assert node.trigger_configure() == SUCCESS
    with spinning(node):
        for _ in range(3):
            assert state(peer, node) == 'inactive'
    assert len(shop.made) == 1


def test_an_unexpected_error_goes_through_error_processing(make, shop, peer, wait_until, capfd):
    status = collect_status(peer, 'engine')
    node = make(retry_seconds=0.5)
    name = node.get_name()
    events = peer.collect(TransitionEvent, f'/{name}/transition_event')
    wait_until(lambda: peer.node.count_publishers(f'/{name}/transition_event'), 'a publisher')
    shop.refusals = [ZeroDivisionError('what nobody thought of')]
    assert node.trigger_configure() == ERROR
    assert 'Cannot be configured: ZeroDivisionError: what nobody' in capfd.readouterr().err
    wait_until(lambda: len(events) >= 3, 'the transitions')
    assert [event.goal_state.label for event in events] == [
        'configuring',
        'errorprocessing',
        'unconfigured',
    ]
    with spinning(node):
        wait_until(lambda: state(peer, node) == 'active', 'the next attempt')
        wait_until(lambda: status(DiagnosticStatus.OK), 'a node that is well')


@pytest.mark.parametrize('retry', [0.0, 0.2])
def test_an_error_while_activating_frees_all(make, shop, monkeypatch, peer, wait_until, retry):
    node = make(retry_seconds=retry)
    assert node.trigger_configure() == SUCCESS
    monkeypatch.setattr(node._pipeline, 'start', lambda: 1 / 0)
    assert node.trigger_activate() == ERROR
    assert shop.closed == shop.made and len(shop.made) == 1
    with spinning(node):
        if retry:
            wait_until(lambda: state(peer, node) == 'active', 'the next attempt')
        else:
            assert state(peer, node) == 'unconfigured'
            assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
    assert len(shop.made) == 2


def test_an_error_while_deactivating_frees_all(make, shop, monkeypatch):
    node = make()
    assert node.start()
    monkeypatch.setattr(node._pipeline, 'stop', lambda: 1 / 0)
    assert node.trigger_deactivate() == ERROR
    assert shop.closed == shop.made
    assert node.start()


def test_signals_between_attempts(start_node, tmp_path, model_file):
    path = tmp_path / 'late.safetensors'
    parameters = {'model': path, 'engine': 'reference', 'retry_seconds': 0.3}
    process = start_node(MODULE, parameters)
    process.wait_for('Trying again in 0.3 s')
    path.write_bytes(Path(model_file).read_bytes())
    process.wait_for('Active')
    assert process.stop(signal.SIGTERM) == 0
    path.unlink()
    process = start_node(MODULE, parameters | {'retry_seconds': 60.0})
    process.wait_for('Trying again in 60 s')
    assert process.stop(signal.SIGINT) == 0
    assert 'Traceback' not in process.output


def test_simulated_time_that_does_not_come_stops_nothing(
    make, peer, wait_until, monkeypatch, capfd
):
    monkeypatch.setattr(simulated_time, 'PATIENCE_SECONDS', 0.3)
    monkeypatch.setattr(diagnostics, 'PERIOD_SECONDS', 0.1)
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    masks = peer.collect(Image, '/segmentation/mask')
    node = make(use_sim_time=True)
    assert node.start()
    message = Image()
    message.header.stamp.sec = 77
    fill_image(message, np.zeros((20, 30, 3), np.uint8), 'rgb8')
    with spinning(node):
        publisher = peer.publisher(Image, '/image')
        text = []

        def told():
            publisher.publish(message)
            text.append(capfd.readouterr().err)
            return 'use_sim_time is set, but no time came on /clock' in ''.join(text)

        wait_until(told, 'a warning')
        wait_until(lambda: len(masks) > 1, 'masks')
        assert masks[-1].header.stamp == Time(sec=77)
        wait_until(lambda: len(arrays) > 8, 'diagnostics')
        assert arrays[-1].header.stamp == Time()
        assert (''.join(text) + capfd.readouterr().err).count('use_sim_time is set') == 1

        clock = peer.node.create_publisher(Clock, '/clock', 1)

        def follows():
            clock.publish(Clock(clock=Time(sec=1234)))
            return arrays[-1].header.stamp == Time(sec=1234)

        wait_until(follows, 'the time of the simulation')


def test_simulated_time_that_comes_is_not_mentioned(make, peer, wait_until, monkeypatch, capfd):
    monkeypatch.setattr(simulated_time, 'PATIENCE_SECONDS', 0.5)
    node = make(use_sim_time=True, autostart=False)
    timers = len(list(node.timers))
    clock = peer.node.create_publisher(Clock, '/clock', 1)
    with spinning(node):

        def follows():
            clock.publish(Clock(clock=Time(sec=1234)))
            return node.get_clock().now().nanoseconds

        wait_until(follows, 'the time')
        wait_until(lambda: len(list(node.timers)) < timers, 'the look at the clock')
    assert 'use_sim_time' not in capfd.readouterr().err
