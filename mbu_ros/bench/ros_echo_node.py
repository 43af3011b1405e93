# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node like segment_node without a network: what ROS itself costs.

It answers each image with a mask of the image's size and header, copied from the image's bytes, and
tells its times as segment_node does. So messages of the same sizes take the same way.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from mbu_ros.node.memory import keep_freed_memory
from mbu_ros.node.outputs import RESULT_QOS
from mbu_ros.node.result_image import ResultImage
from mbu_ros.node.spinning import run_node
from mbu_ros.node.timing import age_milliseconds, timing_message


class Echo(Node):
    """Subscribes to `image`; publishes `segmentation/mask` and `segmentation/timing`."""

    def __init__(self) -> None:
        super().__init__('echo')
        reliable = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self._mask = self.create_publisher(Image, 'segmentation/mask', RESULT_QOS)
        self._timing = self.create_publisher(DiagnosticArray, 'segmentation/timing', RESULT_QOS)
        self._image = ResultImage('mono8')
        self._subscription = self.create_subscription(Image, 'image', self._answer, reliable)

    def _answer(self, message: Image) -> None:
        received = time.perf_counter()
        age = age_milliseconds(message.header.stamp, self.get_clock().now())
        pixels = self._image.pixels(message.header, message.height, message.width)
        np.copyto(pixels.reshape(-1), np.frombuffer(message.data, np.uint8, pixels.size))
        copied = time.perf_counter()
        self._mask.publish(self._image.message)
        published = time.perf_counter()
        if self._timing.get_subscription_count():
            times = {
                'received': age,
                'publish': (published - copied) * 1e3,
                'total': (published - received) * 1e3,
            }
            self._timing.publish(timing_message(message.header, 'echo', '', times, 1))


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; returns the process's exit code."""
    keep_freed_memory()
    return run_node(Echo, args)


if __name__ == '__main__':
    sys.exit(main())
