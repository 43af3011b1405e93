# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the launch tests share: the launch file, a small model, a peer to talk to, a clean end.

`pytest test/launch` finds this module; `launch_test FILE` does with PYTHONPATH=test/launch.
"""

import os
import tempfile
import threading
import time
import unittest
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import launch_testing.actions
import launch_testing.asserts
import numpy as np
import pytest
import rclpy
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sensor_msgs.msg import Image

from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.evaluation.live.processes import claimed_domain
from mbu_ros.imaging.messages import fill_image, to_label, to_rgb
from mbu_ros.model.file import load_model, save_model
from mbu_ros.model.random import random_model

try:
    _SHARE = Path(get_package_share_directory('mbu_ros'))
except (PackageNotFoundError, OSError):  # the latter where AMENT_PREFIX_PATH is not set
    pytest.skip(
        'ament finds no mbu_ros: colcon build and source it; or pip install . into a virtual '
        'environment, and set AMENT_PREFIX_PATH to that',
        allow_module_level=True,
    )

TIMEOUT = 30.0
"""Seconds after which a thing that should happen is held not to happen."""
QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)

# A domain that no robot and no other session of tests is on, for this process and those it starts.
_claim = ExitStack()
os.environ['ROS_DOMAIN_ID'] = str(_claim.enter_context(claimed_domain()))
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
# A node that is ended by a fault in C says where.
os.environ['PYTHONFAULTHANDLER'] = '1'

_folder = tempfile.TemporaryDirectory(prefix='mbu_ros_launch_test')


def temporary_file(name, text):
    """Write a file that is there until the tests end; returns its path."""
    path = Path(_folder.name) / name
    path.write_text(text)
    return str(path)


@cache
def model_file(seed=3, width=8, height=48, columns=64):
    """A file with a random model of five classes; returns its path."""
    path = Path(_folder.name) / f'random_{seed}_{width}_{height}x{columns}.safetensors'
    save_model(
        random_model(width=width, depth=2, input_size=(height, columns), seed=seed), path
    )
    return str(path)


def parameter_file(name, **parameters):
    """Write a YAML file of parameters; returns its path."""
    lines = [f'    {key}: {value}' for key, value in parameters.items()]
    return temporary_file(name, '\n'.join(['/**:', '  ros__parameters:', *lines, '']))


def launch_file(name):
    """Path of an installed launch file."""
    return str(_SHARE / 'launch' / name)


def segment(**arguments):
    """The package's own launch file, with a small model on the CPU."""
    chosen = {'model': model_file(), 'engine': 'reference', **arguments}
    return IncludeLaunchDescription(
        AnyLaunchDescriptionSource(launch_file('segment.launch.py')),
        launch_arguments=list(chosen.items()),
    )


def ready(*actions):
    """Start these, and the tests at once: they wait for what they need."""
    return LaunchDescription([*actions, launch_testing.actions.ReadyToTest()])


def frame(number, height=60, width=90):
    """Random pixels with stamp `number` s and frame_id 'camera_NUMBER'."""
    message = Image()
    message.header.stamp.sec = number
    message.header.frame_id = f'camera_{number}'
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    fill_image(message, pixels, 'rgb8')
    return message


def wait_for_log(proc_output, text):
    """Wait until a process has logged a text."""
    proc_output.assertWaitFor(text, timeout=TIMEOUT, stream='stderr')


def labels(image, model=None):
    """What the model makes of an rgb8 message or array: uint8 [H, W]."""
    pixels = image if isinstance(image, np.ndarray) else to_rgb(image)
    return ReferenceEngine(load_model(Path(model or model_file()))).segment([pixels])[0].labels


class NodeTest(unittest.TestCase):
    """Tests with a ROS node of their own, whose callbacks run in a thread."""

    @classmethod
    def setUpClass(cls):
        # Not the default context: that may be another test's of the same session.
        cls.context = rclpy.Context()
        rclpy.init(context=cls.context, signal_handler_options=SignalHandlerOptions.NO)
        cls.node = rclpy.create_node('peer', context=cls.context)
        executor = SingleThreadedExecutor(context=cls.context)
        executor.add_node(cls.node)
        cls.stop = Future(executor=executor)
        cls.thread = threading.Thread(
            target=executor.spin_until_future_complete, args=(cls.stop,)
        )
        cls.thread.start()

    @classmethod
    def tearDownClass(cls):
        cls.stop.set_result(None)
        cls.thread.join()
        cls.node.destroy_node()
        rclpy.shutdown(context=cls.context)

    def wait_until(self, condition, what):
        """Wait until `condition()` is true and return its value."""
        end = time.monotonic() + TIMEOUT
        while not (value := condition()):
            self.assertLess(time.monotonic(), end, f'{what} did not come in {TIMEOUT} s')
            time.sleep(0.02)
        return value

    def collect(self, message_type, topic, qos=QOS):
        """Subscribe; returns the list to which messages are appended as they come."""
        messages = []
        self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def publisher(self, message_type, topic, qos=QOS):
        """A publisher that somebody listens to already."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        self.wait_until(publisher.get_subscription_count, f'a subscription to {topic}')
        return publisher

    def exchange(self, publisher, message, results):
        """Publish a message until a result with its header comes; returns that."""

        def answer():
            publisher.publish(message)
            time.sleep(0.1)
            return [result for result in list(results) if result.header == message.header]

        return self.wait_until(answer, f'a result for {message.header}')[0]

    def assert_segments(self, image_topic, mask_topic, number=1, model=None):
        """A frame goes in, and exactly its mask comes out."""
        masks = self.collect(Image, mask_topic)
        message = frame(number)
        mask = self.exchange(self.publisher(Image, image_topic), message, masks)
        self.assertEqual(mask.encoding, 'mono8')
        np.testing.assert_array_equal(to_label(mask), labels(message, model))

    def call(self, service_type, name, request):
        """Call a service and wait for the answer."""
        client = self.node.create_client(service_type, name)
        self.wait_until(client.service_is_ready, f'the service {name}')
        future = client.call_async(request)
        self.wait_until(future.done, f'an answer of {name}')
        self.node.destroy_client(client)
        return future.result()

    def status(self, name, condition=lambda status: True):
        """The first diagnostic status of this name from now on that meets a condition."""
        return self.status_of(self.collect(DiagnosticArray, '/diagnostics'), name, condition)

    def status_of(self, arrays, name, condition=lambda status: True):
        """The same, of a list from `collect`."""
        return self.wait_until(
            lambda: next(
                (
                    status
                    for array in list(arrays)
                    for status in array.status
                    if status.name == name and condition(status)
                ),
                None,
            ),
            f'such a status called {name!r}',
        )


class CleanShutdown(unittest.TestCase):
    """For after the shutdown: exit code 0, and nothing that looks like a traceback."""

    def test_exit_code(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info, process='segment_node')

    def test_no_traceback(self, proc_output):
        text = b''.join(io.text for io in proc_output).decode()
        self.assertIn('segment', text)  # or nothing was captured at all
        self.assertNotIn('Traceback', text)
