# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that was killed is started again, if the launch file is told so."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import os
import signal
import time

import launch_support
import launch_testing
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus


@pytest.mark.launch_test
def generate_test_description():
    return launch_support.ready(launch_support.segment(respawn='true'))


class TestRespawn(launch_support.NodeTest):
    def test_an_error_is_told_and_then_it_segments_again(self, proc_info):
        told = self.collect(DiagnosticArray, '/diagnostics')
        self.assert_segments('/camera/image_raw', '/segmentation/mask', 1)
        first = proc_info['segment_node'].pid
        begin = time.monotonic()
        os.kill(first, signal.SIGKILL)
        status = self.status_of(
            told, 'segment: engine', lambda status: 'process of the node' in status.message
        )
        seconds = time.monotonic() - begin
        print(f'\nERROR on /diagnostics {seconds:.3f} s after SIGKILL')
        self.assertEqual(status.level, DiagnosticStatus.ERROR)
        self.assertIn('SIGKILL', status.message)
        # Before the new process can have said anything.
        self.assertEqual(proc_info['segment_node'].pid, first)
        self.wait_until(lambda: proc_info['segment_node'].pid != first, 'a new process')
        self.assert_segments('/camera/image_raw', '/segmentation/mask', 2)
        self.status('segment: engine', lambda status: status.level == DiagnosticStatus.OK)


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
