# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM in the middle of a frame end the node cleanly."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import os
import signal
import time

import launch_support
import launch_testing
import launch_testing.util
from sensor_msgs.msg import Image


@launch_testing.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.launch_test
def generate_test_description(number):
    # Some tenths of a second a frame on a CPU.
    slow = launch_support.model_file(width=16, height=240, columns=320)
    # launch_testing wants a process to be left until the test ends.
    keep = launch_testing.util.KeepAliveProc()
    return launch_support.ready(launch_support.segment(model=slow), keep)


class TestSignals(launch_support.NodeTest):
    def test_while_frames_come(self, proc_info, number):
        masks = self.collect(Image, '/segmentation/mask')
        publisher = self.publisher(Image, '/camera/image_raw')
        self.exchange(publisher, launch_support.frame(1), masks)
        publisher.publish(launch_support.frame(2))
        time.sleep(0.05)  # it is being segmented
        os.kill(proc_info['segment_node'].pid, number)
        proc_info.assertWaitForShutdown('segment_node', timeout=launch_support.TIMEOUT)


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
