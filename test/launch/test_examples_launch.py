# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The examples of including the launch file: XML, YAML, and one that is a lifecycle manager."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import launch_support
import launch_testing
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
from sensor_msgs.msg import Image

CAMERA = {'/camera/image_raw': '/segmentation/mask'}
EXAMPLES = {
    'one_camera.launch.xml': CAMERA,
    'two_cameras.launch.yaml': {
        f'/robot/{name}/image_raw': f'/robot/{name}/segmentation/mask'
        for name in ('front', 'rear')
    },
    'managed.launch.py': CAMERA,
}


@launch_testing.parametrize('example', EXAMPLES)
@pytest.mark.launch_test
def generate_test_description(example):
    source = AnyLaunchDescriptionSource(launch_support.launch_file(f'examples/{example}'))
    return launch_support.ready(IncludeLaunchDescription(source))


class TestExamples(launch_support.NodeTest):
    def test_it_segments(self, example):
        for image, mask in EXAMPLES[example].items():
            masks = self.collect(Image, mask)
            self.exchange(self.publisher(Image, image), launch_support.frame(1), masks)


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
