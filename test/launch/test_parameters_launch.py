# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters from a YAML file, and changed while the node runs."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import launch_support
import launch_testing
import numpy as np
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import to_label, to_rgb
from mbu_ros.imaging.overlay import colorize
from mbu_ros.model.file import load_model

FIRST = launch_support.model_file()
SECOND = launch_support.model_file(seed=8)


@pytest.mark.launch_test
def generate_test_description():
    parameters = launch_support.parameter_file('some.yaml', queue_depth=7, max_rate=99.5)
    return launch_support.ready(launch_support.segment(params_file=parameters))


class TestParameters(launch_support.NodeTest):
    def set(self, name, value):
        parameter = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        return self.call(SetParameters, '/segment/set_parameters', request).results[0]

    def get(self, name):
        request = GetParameters.Request(names=[name])
        return self.call(GetParameters, '/segment/get_parameters', request).values[0]

    def test_the_file_holds(self):
        self.assertEqual(self.get('max_rate').double_value, 99.5)
        self.assertEqual(self.get('queue_depth').integer_value, 7)
        # The launch file's arguments go before the file.
        self.assertEqual(self.get('model').string_value, FIRST)

    def test_alpha_changes_the_next_overlay(self):
        overlays = self.collect(Image, '/segmentation/overlay')
        publisher = self.publisher(Image, '/camera/image_raw')
        message = launch_support.frame(1)
        # All of the colours, then none.
        self.assertTrue(self.set('overlay_alpha', 1.0).successful)
        labels = launch_support.labels(message, self.get('model').string_value)
        colors = load_model(FIRST).classes.colors
        overlay = self.exchange(publisher, message, overlays)
        np.testing.assert_array_equal(to_rgb(overlay), colorize(labels, colors))
        self.assertTrue(self.set('overlay_alpha', 0.0).successful)
        message = launch_support.frame(2)
        overlay = self.exchange(publisher, message, overlays)
        np.testing.assert_array_equal(to_rgb(overlay), to_rgb(message))

    def test_bad_values_are_refused_with_a_reason(self):
        for name, value, reason in (
            ('overlay_alpha', 1.5, 'range'),
            ('model', '/nowhere/none.safetensors', 'none.safetensors'),
        ):
            result = self.set(name, value)
            self.assertFalse(result.successful)
            self.assertIn(reason, result.reason)

    def test_the_model_changes_between_frames(self):
        masks = self.collect(Image, '/segmentation/mask')
        publisher = self.publisher(Image, '/camera/image_raw')
        for model in (SECOND, FIRST):
            self.assertTrue(self.set('model', model).successful)
            numbers = iter(range(100, 1000))

            def changed(model=model, numbers=numbers):
                message = launch_support.frame(next(numbers))
                mask = self.exchange(publisher, message, masks)
                return np.array_equal(to_label(mask), launch_support.labels(message, model))

            self.wait_until(changed, f'a mask of {model}')
            masks.clear()


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
