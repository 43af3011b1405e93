# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node with engines made for the test, in the test's own process."""

import types

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from sensor_msgs.msg import Image

from mbu_ros.engine.base import STAGES, Segmentation
from mbu_ros.imaging.messages import fill_image
from mbu_ros.model.random import random_model
from mbu_ros.node import cameras
from mbu_ros.node.parameters import Settings


class FakeEngine:
    name = 'fake'
    model = random_model(width=8, depth=1)

    def segment(self, frames):
        (frame,) = frames
        assert (frame.encoding, frame.step, len(frame.data)) == ('rgb8', 90, 1800)
        labels = np.zeros((frame.height, frame.width), np.uint8)
        return [Segmentation(labels, milliseconds=dict.fromkeys(STAGES, 1.0))]


class FailingEngine(FakeEngine):
    def segment(self, frames):
        raise MemoryError('no room for a frame')


@pytest.fixture
def camera(peer):
    peer.node.declare_parameter('overlay_alpha', 0.5)
    settings = Settings(model='', engine='', reliability='reliable', queue_depth=5)
    camera = cameras.Camera(peer.node, settings, lambda: camera.waiting.append(True))
    camera.waiting = []
    camera.open()
    return camera


@pytest.fixture
def send(peer, camera, wait_until):
    publisher = peer.publisher(Image, '/image')

    def send_one():
        message = Image()
        fill_image(message, np.zeros((20, 30, 3), np.uint8), 'rgb8')
        before = camera.statistics.summary().received
        publisher.publish(message)
        wait_until(lambda: camera.statistics.summary().received == before + 1, 'a frame')

    return send_one


def test_an_engine_that_fails_costs_a_frame(camera, send):
    send()
    camera.segment_newest(FailingEngine())
    camera.segment_newest(FailingEngine())  # nothing waits any more
    summary = camera.statistics.summary()
    assert (summary.received, summary.bad, summary.segmented) == (1, 1, 0)
    send()
    camera.segment_newest(FakeEngine())
    assert camera.statistics.summary().segmented == 1


def test_the_worker_is_called_once_for_frames_that_supersede_each_other(camera, send):
    for _ in range(3):
        send()
    assert camera.waiting == [True]
    camera.segment_newest(FakeEngine())
    send()
    assert camera.waiting == [True, True]
    camera.close()  # drops the frame that waits
    camera.segment_newest(FakeEngine())
    summary = camera.statistics.summary()
    assert (summary.received, summary.superseded, summary.segmented) == (4, 3, 1)


def test_no_overlay_without_a_subscriber(camera, send, peer, wait_until, monkeypatch):
    made = []
    overlay = cameras.overlay
    monkeypatch.setattr(
        cameras, 'overlay', lambda *arguments: made.append(True) or overlay(*arguments)
    )
    send()
    camera.segment_newest(FakeEngine())
    assert not made
    seen = peer.collect(Image, '/segmentation/overlay')
    wait_until(camera._overlay.get_subscription_count, 'a subscription')
    send()
    camera.segment_newest(FakeEngine())
    assert made == [True]
    wait_until(lambda: seen, 'an overlay')


def test_frames_that_the_middleware_lost_are_counted(camera):
    # Made by hand: whether DDS loses an image depends on the machine.
    for total, change in ((2, 2), (5, 3)):
        camera._subscription._on_message_lost(
            types.SimpleNamespace(total_count=total, total_count_change=change)
        )
    assert camera.statistics.summary().lost == 5
