# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two cameras on one engine, with topics given on the command line."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import launch_support
import launch_testing
import numpy as np
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import to_label

# 'true' is a name like any other, and must not become a boolean on its way.
CAMERAS = ('front', 'true')


@pytest.mark.launch_test
def generate_test_description():
    return launch_support.ready(
        launch_support.segment(cameras='front,true', image_topics='/a/image_raw, /b/image_raw')
    )


class TestTwoCameras(launch_support.NodeTest):
    def test_each_has_its_own_masks(self):
        topics = [f'/{camera}/segmentation/mask' for camera in CAMERAS]
        masks = [self.collect(Image, topic) for topic in topics]
        publishers = [self.publisher(Image, topic) for topic in ('/a/image_raw', '/b/image_raw')]
        for index, (publisher, found) in enumerate(zip(publishers, masks)):
            message = launch_support.frame(index, height=50 + index)
            mask = self.exchange(publisher, message, found)
            np.testing.assert_array_equal(to_label(mask), launch_support.labels(message))
        for index, found in enumerate(masks):
            self.assertEqual({mask.header.stamp.sec for mask in found}, {index})

    def test_each_has_its_own_diagnostics(self):
        for camera in CAMERAS:
            self.status(f'segment: {camera} frames')


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
