# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of cameras and engine, with limits that change while the node runs."""

import time

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import fill_image
from mbu_ros.model.file import save_model
from mbu_ros.node import diagnostics, engines

from .workshop import MODEL, Workshop, make_node, spinning

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)
SUCCESS = TransitionCallbackReturn.SUCCESS


@pytest.fixture
def shop(monkeypatch):
    monkeypatch.setattr(diagnostics, 'PERIOD_SECONDS', 0.1)
    shop = Workshop()
    monkeypatch.setattr(engines, 'create_engine', shop.create)
    return shop


@pytest.fixture
def start(ros, shop, peer, tmp_path, request, wait_until):
    """Make the node, spinning and unconfigured; returns it with what talks to it."""
    path = tmp_path / 'small.safetensors'
    save_model(MODEL, path)
    contexts = []

    class Talk:
        def __init__(self, parameters):
            self.name = request.function.__name__
            self.node = make_node(self.name, {'model': str(path)} | parameters)
            contexts.append(spinning(self.node))
            contexts[-1].__enter__()
            self.arrays = peer.collect(DiagnosticArray, '/diagnostics')

        def statuses(self):
            arrays = [a for a in list(self.arrays) if a.status[0].name.startswith(self.name)]
            return {s.name.partition(': ')[2]: s for s in arrays[-1].status} if arrays else {}

        def wait(self, subtask, level, words=''):
            """Wait for a status of this level; its values by key."""

            def found():
                status = self.statuses().get(subtask)
                fits = status and status.level == level and words in status.message
                return status if fits else None

            status = wait_until(found, lambda: f'{level} {words!r} in {self.statuses()}')
            return {item.key: item.value for item in status.values}

        def set(self, name, value):
            value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
            request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
            results = peer.call(SetParameters, f'/{self.name}/set_parameters', request).results
            assert results[0].successful, results[0].reason

    yield lambda **parameters: Talk(parameters)
    for context in contexts:
        context.__exit__(None, None, None)


def image():
    message = Image()
    fill_image(message, np.zeros((20, 30, 3), np.uint8), 'rgb8')
    return message


def test_levels_through_the_life_of_a_node(start, peer, wait_until):
    talk = start()
    found = talk.wait('engine', OK, 'unconfigured: no engine is made')
    assert found['Lifecycle state'] == 'unconfigured' and found['Engine'] == ''
    assert set(talk.statuses()) == {'engine'}

    assert talk.node.trigger_configure() == SUCCESS
    talk.wait('frames', OK, 'inactive: waiting to be activated')
    found = talk.wait('engine', OK, 'fake on fake device (fake was there)')
    assert found['Lifecycle state'] == 'inactive' and found['Engine'] == 'fake'
    assert (found['Architecture'], found['Input size']) == ('sm_0', '48x32')

    assert talk.node.trigger_activate() == SUCCESS
    talk.wait('frames', WARN, 'no frames received yet on /image')
    talk.set('limits.max_age', 0.3)
    talk.wait('frames', STALE, 'no frames received yet on /image')
    publisher = peer.publisher(Image, '/image')
    publisher.publish(image())
    talk.set('limits.max_age', 3600.0)
    publisher.publish(image())
    found = talk.wait('frames', OK, 'nobody subscribes to results')
    assert int(found['Frames dropped (unwatched)']) == int(found['Frames received']) > 0

    masks = peer.collect(Image, '/segmentation/mask')
    wait_until(lambda: publisher.publish(image()) or masks, 'a mask')
    talk.wait('frames', OK, 'frames a second')
    talk.set('limits.max_age', 0.2)
    found = talk.wait('frames', STALE, 'no frame for')
    assert float(found['Age of the last frame (s)']) > 0.2 == float(found['Limit of age (s)'])

    assert talk.node.trigger_deactivate() == SUCCESS
    talk.wait('frames', OK, 'inactive')
    assert talk.node.trigger_cleanup() == SUCCESS
    talk.wait('engine', OK, 'unconfigured')
    wait_until(lambda: set(talk.statuses()) == {'engine'}, 'the end of the cameras')


def test_limits_of_each_camera(start, shop, peer, wait_until):
    shop.working = 0.01
    talk = start(**{'cameras': ['front', 'rear'], 'front.limits.min_rate': 1.0})
    assert talk.node.start()
    masks = peer.collect(Image, '/front/segmentation/mask')
    publisher = peer.publisher(Image, '/front/image')
    wait_until(lambda: publisher.publish(image()) or len(masks) > 3, 'masks')
    for _ in range(20):
        publisher.publish(image())
        time.sleep(0.02)
    found = talk.wait('front frames', OK, 'frames a second')
    assert found['Topic'] == '/front/image'
    assert float(found['Minimum acceptable frequency (Hz)']) == 1
    assert int(found['Events in window']) == int(found['Events since startup']) > 20
    assert float(found['total p95 (ms)']) > 10

    talk.set('limits.max_latency_p95', 5.0)
    talk.wait('front frames', WARN, 'latency p95')
    talk.set('front.limits.max_latency_p95', 60000.0)
    talk.wait('front frames', OK)
    talk.set('front.limits.min_rate', 1000.0)
    talk.wait('front frames', WARN, 'frames a second come, less than 1000')
    talk.set('front.limits.min_rate', 0.0)
    talk.wait('front frames', OK)

    rear = talk.wait('rear frames', WARN, 'no frames received yet on /rear/image')
    assert (rear['Frames received'], rear['network p50 (ms)']) == ('0', '')
    talk.set('rear.limits.max_age', 0.1)
    talk.wait('rear frames', STALE)
    talk.wait('front frames', OK)


def test_frames_of_which_none_is_segmented_are_an_error(start, peer, wait_until):
    talk = start(**{'limits.max_age': 0.4, 'limits.max_drop_share': 0.5})
    assert talk.node.start()
    peer.collect(Image, '/segmentation/mask')
    publisher = peer.publisher(Image, '/image')
    wait_until(lambda: publisher.get_subscription_count(), 'a subscription')
    bad = image()
    bad.encoding = 'yuv9000'

    def error():
        publisher.publish(bad)
        status = talk.statuses().get('frames')
        return status if status and status.level == ERROR else None

    status = wait_until(error, 'an error')
    assert 'frames come on /image, but none was segmented' in status.message
    assert 'bad: ' in status.message

    def warning():
        publisher.publish(bad)
        publisher.publish(image())
        status = talk.statuses()['frames']
        return status if status.level == WARN else None

    status = wait_until(warning, 'a warning')
    assert 'bad frames dropped since the last report' in status.message


def test_the_gpus_memory_is_told(start):
    talk = start()
    assert talk.node.trigger_configure() == SUCCESS
    talk.wait('engine', OK)
    for _ in range(50):
        found = talk.wait('engine', OK)
        if 'GPU memory (MB)' in found:
            break
        time.sleep(0.1)
    assert found['GPU memory of the engine (MB)'] == '1.5'
    assert (found['GPU memory free (MB)'], found['GPU memory (MB)']) == ('2', '8')
    assert float(found['Process memory (MB)']) > 10
