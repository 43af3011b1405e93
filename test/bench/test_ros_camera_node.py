# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cameras of benchmarks, against a node in this process that answers as it is told."""

import os
import threading
import time

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.bench import ros_camera_node
from mbu_ros.bench.ros_camera_node import CameraSender
from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.bench.ros_frames import random_frame
from mbu_ros.bench.ros_sending_camera_node import RELIABLE, SendingCamera
from mbu_ros.errors import InputError


class Partner:
    """Answers images of cameras with masks.

    Attributes:
        wants: called with camera and number of an image; whether it is answered.
        seconds: that an answer takes.
        images: as they came, by camera.
    """

    def __init__(self, namespace, cameras=('',), compressed=()):
        self.wants, self.seconds = lambda camera, number: True, 0.0
        self.images = {name: [] for name in cameras}
        self._context = Context()
        self._context.init()
        self._node = Node('partner', namespace=namespace, context=self._context)
        for name in cameras:
            base = f'{name}/' if name else ''
            publisher = self._node.create_publisher(Image, f'{base}segmentation/mask', RELIABLE)
            kind, topic = Image, 'image'
            if name in compressed:
                kind, topic = CompressedImage, 'image/compressed'
            self._node.create_subscription(
                kind,
                base + topic,
                lambda message, name=name, to=publisher: self._answer(name, message, to),
                RELIABLE,
            )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._stop = Future()
        self._thread = threading.Thread(
            target=self._executor.spin_until_future_complete, args=(self._stop,), daemon=True
        )
        self._thread.start()

    def _answer(self, name, message, publisher):
        self.images[name].append(message)
        if self.wants(name, len(self.images[name]) - 1):
            time.sleep(self.seconds)
            mask = Image(height=1, width=1, step=1, encoding='mono8', data=b'\0')
            mask.header = message.header
            publisher.publish(mask)

    def close(self):
        self._stop.set_result(None)
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()


@pytest.fixture
def connect(ros_domain):
    """Makes a connected sender and partner."""
    made = []

    def make(cameras=('',), compressed=(), check=lambda: None):
        namespace = f'/sender_{os.getpid()}_{len(made)}'
        sender = CameraSender(namespace, cameras, compressed=compressed)
        made.append(sender)
        partner = Partner(namespace, cameras, compressed)
        made.append(partner)
        sender.load({name: [random_frame(4, 6, seed) for seed in range(3)] for name in cameras})
        assert sender.wait_for_partner(20, check)
        return sender, partner

    yield make
    for one in made:
        one.close()


def test_frames_go_round_with_new_stamps(connect):
    sender, partner = connect()
    exchange = sender.one_by_one(5, timing=False)['']
    assert (len(exchange.sent), exchange.received, exchange.lost) == (5, 5, 0)
    data = [bytes(message.data) for message in partner.images['']]
    assert data[0] == data[3] and data[1] == data[4] and len(set(data)) == 3
    stamps = [one.header.stamp for one in partner.images['']]
    assert [stamp.sec * 10**9 + stamp.nanosec for stamp in stamps] == list(exchange.sent)
    assert all(value > 0 for value in exchange.latencies.values())


@pytest.mark.alone
def test_a_rate_is_kept(connect):
    sender, _ = connect()
    exchange = sender.at_rate(40.0, 0.5)['']
    assert len(exchange.sent) == 20 and not exchange.lost
    # Never faster: a sender that is held up does not make up for it.
    assert exchange.rate < 42


def test_a_sender_that_is_late_does_not_send_in_bursts(connect, monkeypatch):
    sender, _ = connect()
    send, gaps = SendingCamera.send, []

    def slow(camera):
        gaps.append(time.perf_counter())
        send(camera)
        if len(gaps) == 3:
            time.sleep(0.5)  # ten periods

    monkeypatch.setattr(SendingCamera, 'send', slow)
    exchange = sender.at_rate(20.0, 0.5)['']
    assert len(exchange.sent) == 10
    # The seven frames that were still to come took their time.
    assert gaps[-1] - gaps[0] > 0.5 + 0.05 * (2 + 6 - 1)
    assert exchange.rate < 12


def test_what_is_not_answered_is_lost(connect):
    sender, partner = connect()
    partner.wants = lambda camera, number: number % 2 == 1
    exchange = sender.at_rate(50.0, 0.2)['']  # the last one, number 9, is answered
    assert (len(exchange.sent), exchange.lost) == (10, 5)
    assert list(exchange.latencies) == list(exchange.sent)[1::2]


def test_a_lost_end_is_not_waited_for_without_end(connect, monkeypatch):
    monkeypatch.setattr(ros_camera_node, 'PATIENCE_SECONDS', 1.0)
    sender, partner = connect()
    sender.one_by_one(1, timing=False)
    partner.wants = lambda camera, number: number < 3
    exchange = sender.at_rate(50.0, 0.2)['']
    assert (exchange.received, exchange.lost) == (2, 8)


def test_patience_grows_with_the_slowness_of_the_node(connect, monkeypatch):
    monkeypatch.setattr(ros_camera_node, 'PATIENCE_SECONDS', 0.1)
    sender, partner = connect()
    partner.seconds = 0.4
    assert not sender.one_by_one(1, timing=False)[''].lost
    assert not sender.at_rate(100.0, 0.02)[''].lost  # two frames, the second after 0.8 s


def test_time_ends_it(connect):
    sender, partner = connect()
    partner.seconds = 0.05
    assert len(sender.one_by_one(100, timing=False, seconds=0.3)[''].sent) < 100
    assert len(sender.one_by_one(100, timing=False, seconds=0.0)[''].sent) == 1


@pytest.mark.alone
def test_several_cameras_take_turns(connect):
    sender, partner = connect(('front', 'rear'), compressed=['rear'])
    partner.wants = lambda camera, number: camera == 'front' or number % 2 == 1
    exchanges = sender.at_rate(20.0, 0.2)
    assert {name: (len(one.sent), one.lost) for name, one in exchanges.items()} == {
        'front': (4, 0),
        'rear': (4, 2),
    }
    moments = sorted([*exchanges['front'].sent.items(), *exchanges['rear'].sent.items()])
    assert [stamp in exchanges['front'].sent for stamp, _ in moments] == [True, False] * 4
    assert isinstance(partner.images['rear'][0], CompressedImage)


def test_a_partner_that_ends_is_noticed_while_masks_are_awaited(connect):
    ended = threading.Event()

    def check():
        if ended.is_set():
            raise InputError('the node ended')

    sender, partner = connect(check=check)
    partner.wants = lambda camera, number: False
    ended.set()
    with pytest.raises(InputError, match='the node ended'):
        sender.at_rate(100.0, 0.05)


def test_an_exchange_without_frames():
    exchange = Exchange()
    assert (exchange.lost, exchange.received, exchange.seconds, exchange.rate) == (0, 0, 0.0, 0.0)
