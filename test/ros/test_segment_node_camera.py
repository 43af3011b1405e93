# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node over DDS, in the test's own process, with an engine made for the test."""

import types

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mbu_ros.imaging.messages import to_label, to_rgb
from mbu_ros.imaging.overlay import overlay
from mbu_ros.node import subscription
from mbu_ros.node.cameras import Camera
from mbu_ros.node.parameters import CameraSettings
from mbu_ros.node.scheduler import Scheduler
from mbu_ros.node.statistics import FrameStatistics

from .camera_fakes import MODEL, Engine, Jobs, Parameters, compressed, image, picture


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(subscription, 'WATCH_SECONDS', 0.05)
    monkeypatch.setattr(subscription, 'PATIENCE_SECONDS', 0.5)


@pytest.fixture
def log(peer, monkeypatch):
    """Lines that the camera's node logs."""
    lines = []

    def note(text, **_):
        lines.append(text)

    logger = types.SimpleNamespace(info=note, warning=note, error=note)
    monkeypatch.setattr(peer.node, 'get_logger', lambda: logger)
    return lines


@pytest.fixture
def stranger(ros, own_context):
    """A node of another participant: one alone cannot have two types on a topic."""
    node = ros.create_node('stranger', context=own_context)
    yield node
    node.destroy_node()


@pytest.fixture
def open_camera(peer, log):
    """Open a camera with these settings; its jobs are in `jobs`."""
    cameras = []

    def open_one(**settings):
        scheduler = Scheduler()
        camera = Camera(
            peer.node,
            CameraSettings(**settings),
            Parameters(),
            scheduler,
            FrameStatistics(),
            MODEL.classes,
        )
        camera.jobs = Jobs(scheduler, Engine())
        camera.open()
        cameras.append(camera)
        return camera

    yield open_one
    for camera in cameras:
        camera.destroy()


@pytest.fixture
def exchange(wait_until):
    """Publish until a camera has received it, run its engine, and wait for a result of it."""

    def exchange_one(camera, publisher, message, results):
        def answer():
            publisher.publish(message)
            wait_until(lambda: camera.jobs.waiting, 'a frame')
            camera.jobs.run()
            return [result for result in list(results) if result.header == message.header]

        return wait_until(answer, f'a result for {message.header}')[0]

    return exchange_one


def qos(reliable, latched=False):
    return QoSProfile(
        depth=5,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def watched(camera, wait_until, *outputs):
    wait_until(lambda: set(outputs) <= camera._outputs.wanted(), f'subscribers of {outputs}')


def test_all_outputs_come_with_the_frames_header(open_camera, peer, exchange, wait_until):
    camera = open_camera(name='front', reliability='reliable')
    kinds = {
        'mask': Image,
        'color': Image,
        'overlay': Image,
        'overlay/compressed': CompressedImage,
        'confidence': Image,
        'camera_info': CameraInfo,
        'timing': DiagnosticArray,
    }
    base = '/front/segmentation'
    found = {name: peer.collect(kind, f'{base}/{name}') for name, kind in kinds.items()}
    watched(camera, wait_until, *kinds)
    publisher = peer.publisher(Image, '/front/image')
    exchange(camera, publisher, image(1), found['mask'])  # which has it listen to calibrations
    info = CameraInfo(height=20, width=30)
    info.header.stamp.sec = 1
    peer.publisher(CameraInfo, '/front/camera_info').publish(info)
    wait_until(lambda: camera._outputs._info._recent, 'a calibration')
    message = image(2)
    for name in kinds:
        exchange(camera, publisher, message, found[name])
    last = {name: messages[-1] for name, messages in found.items()}
    labels = picture(2)[..., 0] % 3
    np.testing.assert_array_equal(to_label(last['mask']), labels)
    np.testing.assert_array_equal(
        to_rgb(last['overlay']), overlay(picture(2), labels, MODEL.classes.colors)
    )
    np.testing.assert_array_equal(to_label(last['confidence']), picture(2)[..., 1])
    assert to_rgb(last['overlay/compressed']).shape == (20, 30, 3)
    assert (last['camera_info'].height, last['camera_info'].width) == (20, 30)


def test_compressed_images_over_dds(open_camera, peer, exchange, wait_until):
    camera = open_camera(transport='compressed')
    masks = peer.collect(Image, '/segmentation/mask')
    watched(camera, wait_until, 'mask')
    publisher = peer.publisher(CompressedImage, '/image/compressed')
    content = cv2.imencode('.png', picture(3)[..., ::-1])[1]
    mask = exchange(camera, publisher, compressed(content, 3, 'rgb8; png compressed bgr8'), masks)
    np.testing.assert_array_equal(to_label(mask), picture(3)[..., 0] % 3)


def test_frames_are_counted_until_somebody_subscribes(open_camera, peer, wait_until):
    # Those that an earlier test killed count until DDS has given them up.
    wait_until(lambda: not peer.node.count_subscribers('/segmentation/mask'), 'a free topic')
    camera = open_camera(reliability='reliable')
    publisher = peer.publisher(Image, '/image')
    publisher.publish(image())
    wait_until(lambda: camera.statistics.summary().dropped['unwatched'] == 1, 'a frame')
    assert not camera.jobs.waiting


def test_the_worker_is_called_once_for_frames_that_supersede_each_other(
    open_camera, peer, wait_until
):
    camera = open_camera(reliability='reliable')
    peer.collect(Image, '/segmentation/mask')
    watched(camera, wait_until, 'mask')
    publisher = peer.publisher(Image, '/image', qos(True))
    for number in range(3):
        publisher.publish(image(number))
    wait_until(lambda: camera.statistics.summary().received == 3, 'three frames')
    assert len(camera.jobs.waiting) == 1
    camera.jobs.run()
    summary = camera.statistics.summary()
    assert (summary.segmented, summary.dropped['superseded']) == (1, 2)


def test_frames_that_the_middleware_lost_are_counted(open_camera, log):
    # Made by hand: whether DDS loses an image depends on the machine.
    camera = open_camera()
    for total, change in ((2, 2), (5, 3)):
        camera._subscription._on_message_lost(
            types.SimpleNamespace(total_count=total, total_count_change=change)
        )
    assert camera.statistics.summary().lost == 5
    assert any('2 images of /image were lost' in line for line in log)


def test_qos_is_copied_from_the_publisher_and_follows_it(open_camera, peer, wait_until, log):
    camera = open_camera(reliability='publisher')
    watching = camera._subscription

    def subscribed():
        # None for a moment while it subscribes anew.
        profiles = [
            info.qos_profile for info in peer.node.get_subscriptions_info_by_topic('/image')
        ]
        return [
            (
                profile.reliability == ReliabilityPolicy.RELIABLE,
                profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
            )
            for profile in profiles
        ]

    assert subscribed() == [(False, False)]
    for reliable, latched in ((True, True), (False, False), (True, False)):
        publisher = peer.node.create_publisher(Image, '/image', qos(reliable, latched))
        wait_until(lambda want=(reliable, latched): subscribed() == [want], (reliable, latched))
        before = camera.statistics.summary().received

        def received(publisher=publisher, before=before):
            publisher.publish(image())
            return camera.statistics.summary().received > before

        wait_until(received, 'a frame')
        peer.node.destroy_publisher(publisher)
        wait_until(lambda: watching._problem and watching._looks > 2, 'the end of the publisher')
        assert subscribed() == [(reliable, latched)]  # it may come back as it was
    assert any('subscribed as reliable, transient_local' in line for line in log)


def test_incompatible_qos_is_explained(open_camera, peer, wait_until, log):
    open_camera(reliability='reliable')
    peer.node.create_publisher(Image, '/image', qos(False))
    wait_until(lambda: log, 'a warning')
    assert 'set the parameter reliability to best_effort' in log[0] and '/image' in log[0]


CASES = {
    'nothing there': ('raw', [], 'No publisher on /image after 0 s', '-r front/image:=TOPIC'),
    'elsewhere': ('raw', [(Image, '/cam/a')], '/cam/a', 'Start the camera, or remap'),
    'compressed beside': (
        'raw',
        [(CompressedImage, '/image/compressed')],
        'there is one on /image/compressed',
        'Set the parameter transport to compressed',
    ),
    'raw beside': ('compressed', [(Image, '/image')], 'one on /image.', 'transport to raw'),
    'other type': ('raw', [(CameraInfo, '/image')], 'carries sensor_msgs/msg/CameraInfo', '-r'),
    'two of them': ('raw', [(Image, '/image')] * 2, '2 publishers on /image', 'remap one'),
}


@pytest.mark.parametrize('case', CASES)
def test_what_keeps_images_from_coming_is_told_once(
    open_camera, peer, stranger, wait_until, log, monkeypatch, case
):
    transport, publishers, words, advice = CASES[case]
    # As if the image of the camera 'front' were remapped.
    resolve = peer.node.resolve_topic_name
    monkeypatch.setattr(
        peer.node, 'resolve_topic_name', lambda name: resolve(name.replace('front/image', '/image'))
    )
    for kind, topic in publishers:
        stranger.create_publisher(kind, topic, 5)
    # Else there may be none for longer than the camera's patience lasts here.
    wait_until(
        lambda: all(peer.node.count_publishers(topic) for _, topic in publishers), 'the publishers'
    )
    camera = open_camera(name='front', transport=transport)
    wait_until(lambda: log, 'a warning')
    looks = camera._subscription._looks
    wait_until(lambda: camera._subscription._looks > looks + 5, 'some more looks')
    (line,) = log
    assert words in line and advice in line


def test_a_topic_of_compressed_images_as_if_they_were_raw(peer, stranger, wait_until, log):
    stranger.create_publisher(CompressedImage, '/image/compressed', 5)
    wait_until(lambda: peer.node.count_publishers('/image/compressed'), 'the publisher')
    settings = CameraSettings()
    watched = subscription.ImageSubscription(
        peer.node, settings, '/image/compressed', lambda _: None, lambda _: None
    )
    wait_until(lambda: log, 'a warning')
    assert 'carries sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image' in log[0]
    assert 'transport to compressed, and remap: -r image:=/image' in log[0]
    watched.close()


def test_a_publisher_that_is_away_for_a_moment_is_no_news(open_camera, peer, wait_until, log):
    camera = open_camera()
    publisher = peer.publisher(Image, '/image')
    watching = camera._subscription
    wait_until(lambda: watching._problem == '' and watching._looks, 'a look')
    peer.node.destroy_publisher(publisher)
    wait_until(lambda: watching._problem, 'the loss')
    peer.publisher(Image, '/image')
    wait_until(lambda: watching._problem == '' and watching._looks > 12, 'its return')
    assert not log
