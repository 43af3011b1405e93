# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real node with several cameras, raw and compressed, in its own process, over DDS."""

import time

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.imaging.messages import to_label

from .camera_fakes import compressed, image, picture

MODULE = 'mbu_ros.node.segment_node'
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


@pytest.fixture
def start(start_node, model_file):
    def start_active(**parameters):
        base = {'model': model_file, 'engine': 'reference', 'reliability': 'reliable'}
        process = start_node(MODULE, base | parameters)
        process.wait_for('Active')
        return process

    return start_active


@pytest.fixture
def exchange(wait_until):
    """Publish a frame until a result of it comes: the first may find nobody connected yet."""

    def exchange_one(publisher, message, results):
        def answer():
            publisher.publish(message)
            time.sleep(0.05)
            return [result for result in list(results) if result.header == message.header]

        return wait_until(answer, f'a result for {message.header}')[0]

    return exchange_one


def png(number, kind='png'):
    return compressed(cv2.imencode('.png', picture(number)[..., ::-1])[1], number, kind)


def test_two_cameras_raw_and_compressed(start, peer, exchange, model, wait_until):
    process = start(
        cameras=['front', 'rear'], **{'rear.transport': 'compressed', 'rear.mask_size': 'network'}
    )
    front, rear = (peer.collect(Image, f'/{name}/segmentation/mask') for name in ('front', 'rear'))
    to_front = peer.publisher(Image, '/front/image', RELIABLE)
    to_rear = peer.publisher(CompressedImage, '/rear/image/compressed', RELIABLE)
    engine = ReferenceEngine(model)

    def labels(pixels):
        return engine.segment([pixels])[0].labels

    for number in (1, 2):
        mask = exchange(to_front, image(number), front)
        np.testing.assert_array_equal(to_label(mask), labels(picture(number)))
        mask = exchange(to_rear, png(10 + number), rear)
        smaller = cv2.resize(picture(10 + number), (64, 48), interpolation=cv2.INTER_LINEAR_EXACT)
        np.testing.assert_array_equal(to_label(mask), labels(smaller))
    # What is wrong at one camera is no matter of the other.
    broken = png(50)
    broken.data = broken.data[:-30]
    for _ in range(3):
        to_rear.publish(broken)
        to_front.publish(image(3, encoding='bgr8'))
        time.sleep(0.02)
    wait_until(lambda: front[-1].header.stamp.sec == 3, 'the mask of the other camera')
    exchange(to_rear, png(60), rear)
    assert process.stop() == 0
    assert 'Dropped a frame of /rear/image/compressed' in process.output
    assert 'Traceback' not in process.output


def test_the_node_rests_without_subscribers_and_with_a_clock_that_stands_still(
    start, peer, exchange, wait_until
):
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    process = start(use_sim_time=True)
    publisher = peer.publisher(Image, '/image', RELIABLE)
    for number in range(5):
        publisher.publish(image(number))

    def dropped():
        found = {
            item.key: item.value
            for array in list(arrays)
            for status in array.status
            if status.name == 'segment: frames'
            for item in status.values
        }
        return found.get('Frames dropped (unwatched)')

    wait_until(lambda: dropped() == '5', lambda: f'five frames that nobody wanted ({dropped()})')
    masks = peer.collect(Image, '/segmentation/mask')
    timing = peer.collect(DiagnosticArray, '/segmentation/timing')
    exchange(publisher, image(9), masks)
    wait_until(lambda: timing, 'timing')
    values = {item.key: item.value for item in timing[-1].status[0].values}
    assert values['received (ms)'] == '' and float(values['total (ms)']) > 0
    assert process.stop() == 0
    assert 'Traceback' not in process.output
