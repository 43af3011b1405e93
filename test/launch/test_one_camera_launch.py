# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch file as it is: one camera on its default topic."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import launch_support
import launch_testing


@pytest.mark.launch_test
def generate_test_description():
    return launch_support.ready(launch_support.segment())


class TestOneCamera(launch_support.NodeTest):
    def test_masks_are_the_engines(self):
        self.assert_segments('/camera/image_raw', '/segmentation/mask')

    def test_diagnostics_tell_engine_and_frames(self):
        engine = self.status('segment: engine')
        values = {item.key: item.value for item in engine.values}
        self.assertEqual(values['Engine'], 'reference')
        self.assertEqual(values['Model file'], launch_support.model_file())
        self.status('segment: frames')


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
