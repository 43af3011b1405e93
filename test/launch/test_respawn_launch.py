# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that was killed is started again, if the launch file is told so."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import os
import signal

import launch_support
import launch_testing


@pytest.mark.launch_test
def generate_test_description():
    return launch_support.ready(launch_support.segment(respawn='true'))


class TestRespawn(launch_support.NodeTest):
    def test_it_segments_again(self, proc_info):
        self.assert_segments('/camera/image_raw', '/segmentation/mask', 1)
        first = proc_info['segment_node'].pid
        os.kill(first, signal.SIGKILL)
        self.wait_until(lambda: proc_info['segment_node'].pid != first, 'a new process')
        self.assert_segments('/camera/image_raw', '/segmentation/mask', 2)


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
