# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera driver dies and comes back; the node goes on by itself."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import subprocess
import sys
from pathlib import Path

import launch_support
import launch_testing
from sensor_msgs.msg import Image

TOPIC = '/camera/image_raw'
SOURCE = Path(__file__).with_name('image_source.py')


@pytest.mark.launch_test
def generate_test_description():
    return launch_support.ready(launch_support.segment())


class TestPublisherReturns(launch_support.NodeTest):
    def test_masks_come_again(self):
        masks = self.collect(Image, '/segmentation/mask')
        for life in ('first', 'second'):
            source = subprocess.Popen([sys.executable, SOURCE, TOPIC, life])
            try:
                self.wait_until(
                    lambda life=life: any(m.header.frame_id == life for m in list(masks)),
                    f'a mask in its {life} life',
                )
            finally:
                source.kill()  # no farewell: DDS has to notice by itself
                source.wait()


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
