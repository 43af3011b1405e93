# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A namespace, and names remapped by hand."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import launch_support
import launch_testing
from diagnostic_msgs.msg import DiagnosticArray


@pytest.mark.launch_test
def generate_test_description():
    return launch_support.ready(
        launch_support.segment(
            namespace='robot',
            image_topic='left/image_raw',
            remappings='segmentation/mask:=/elsewhere/mask, /diagnostics:=diagnostics',
        )
    )


class TestRemapping(launch_support.NodeTest):
    def test_relative_names_are_in_the_namespace_and_absolute_ones_are_not(self):
        self.assert_segments('/robot/left/image_raw', '/elsewhere/mask')
        topics = dict(self.node.get_topic_names_and_types())
        self.assertIn('/robot/segmentation/overlay', topics)
        self.assertNotIn('/robot/segmentation/mask', topics)

    def test_diagnostics_are_remapped_and_carry_the_namespace(self):
        arrays = self.collect(DiagnosticArray, '/robot/diagnostics')
        expected = {'robot/segment: frames', 'robot/segment: engine'}
        self.wait_until(
            lambda: any(
                {status.name for status in array.status} == expected for array in list(arrays)
            ),
            f'diagnostics named {expected}',
        )


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
