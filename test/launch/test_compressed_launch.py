# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images: PNG, JPEG, and what is neither."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import array

import cv2
import launch_support
import launch_testing
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.imaging.messages import to_label, to_rgb


@pytest.mark.launch_test
def generate_test_description():
    parameters = launch_support.parameter_file('compressed.yaml', transport='compressed')
    return launch_support.ready(launch_support.segment(params_file=parameters))


def compressed(number, form):
    raw = launch_support.frame(number)
    _, data = cv2.imencode(f'.{form}', to_rgb(raw)[..., ::-1])
    message = CompressedImage(header=raw.header, format=f'rgb8; {form} compressed bgr8')
    message.data = array.array('B', data.tobytes())
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    return message, np.ascontiguousarray(pixels)


class TestCompressed(launch_support.NodeTest):
    def test_masks_are_those_of_the_decoded_images(self):
        masks = self.collect(Image, '/segmentation/mask')
        publisher = self.publisher(CompressedImage, '/camera/image_raw/compressed')
        for number, form in enumerate(('png', 'jpeg')):
            message, pixels = compressed(number, form)
            mask = self.exchange(publisher, message, masks)
            np.testing.assert_array_equal(to_label(mask), launch_support.labels(pixels))

    def test_what_cannot_be_decoded_is_a_counted_drop(self, proc_output):
        masks = self.collect(Image, '/segmentation/mask')
        publisher = self.publisher(CompressedImage, '/camera/image_raw/compressed')
        good, _ = compressed(10, 'png')
        self.exchange(publisher, good, masks)
        bad, _ = compressed(11, 'jpeg')
        bad.data = bad.data[:40]
        publisher.publish(bad)
        launch_support.wait_for_log(proc_output, 'Dropped a frame of /camera/image_raw/compressed')
        self.status(
            'segment: frames',
            lambda status: ('Frames dropped (bad)', '1')
            in [(item.key, item.value) for item in status.values],
        )
        good, _ = compressed(12, 'png')
        self.exchange(publisher, good, masks)


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
