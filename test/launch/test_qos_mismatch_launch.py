# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A QoS that does not fit is told in the log, in words that say what to set."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import launch_support
import launch_testing
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


@launch_testing.parametrize('reliability', ['reliable', 'publisher'])
@pytest.mark.launch_test
def generate_test_description(reliability):
    parameters = launch_support.parameter_file(f'{reliability}.yaml', reliability=reliability)
    return launch_support.ready(launch_support.segment(params_file=parameters))


class TestQosMismatch(launch_support.NodeTest):
    def test_a_publisher_that_is_not_reliable(self, proc_output, reliability):
        masks = self.collect(Image, '/segmentation/mask')
        publisher = self.node.create_publisher(Image, '/camera/image_raw', BEST_EFFORT)
        if reliability == 'publisher':
            self.exchange(publisher, launch_support.frame(1), masks)
        else:
            launch_support.wait_for_log(proc_output, 'set the parameter reliability to best_effort')
            self.assertEqual(masks, [])


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
