# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node waits for a manager, and obeys it."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import time

import launch_support
import launch_testing
from lifecycle_msgs.srv import ChangeState, GetState
from sensor_msgs.msg import Image


@pytest.mark.launch_test
def generate_test_description():
    return launch_support.ready(launch_support.segment(autostart='false'))


class TestLifecycle(launch_support.NodeTest):
    def change_state(self, transition):
        request = ChangeState.Request()
        request.transition.label = transition
        return self.call(ChangeState, '/segment/change_state', request).success

    def state(self):
        request = GetState.Request()
        return self.call(GetState, '/segment/get_state', request).current_state.label

    def test_a_manager_takes_it_through_its_states(self):
        self.assertEqual(self.state(), 'unconfigured')
        self.assertFalse(self.change_state('activate'))
        for _ in range(2):  # after a cleanup everything works again
            self.assertTrue(self.change_state('configure'))
            self.assertEqual(self.state(), 'inactive')
            self.assertTrue(self.change_state('activate'))
            self.assert_segments('/camera/image_raw', '/segmentation/mask')
            self.assertTrue(self.change_state('deactivate'))
            self.assertEqual(self.state(), 'inactive')
            self.assert_silent()
            self.assertTrue(self.change_state('cleanup'))
            self.assertEqual(self.state(), 'unconfigured')
        self.assertTrue(self.change_state('shutdown'))
        self.assertEqual(self.state(), 'finalized')

    def assert_silent(self):
        masks = self.collect(Image, '/segmentation/mask')
        publisher = self.node.create_publisher(Image, '/camera/image_raw', launch_support.QOS)
        for number in range(5):
            publisher.publish(launch_support.frame(number))
            time.sleep(0.1)
        self.assertEqual(masks, [])


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
