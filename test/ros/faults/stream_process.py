# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera or a subscriber to be killed: `stream_process.py camera ID` or `subscriber SECONDS`.

The camera publishes `/image` with the frame_id ID until it is killed; the subscriber takes so long
over each mask, and asks for all of them.
"""

import sys
import time

import numpy as np
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import fill_image

kind, argument = sys.argv[1:]
rclpy.init()
node = rclpy.create_node(f'stream_{kind}')
if kind == 'camera':
    publisher = node.create_publisher(Image, '/image', 5)
    message = Image()
    message.header.frame_id = argument
    fill_image(message, np.full((48, 64, 3), 128, np.uint8), 'rgb8')
    while True:
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        time.sleep(0.05)
reliable = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
node.create_subscription(
    Image, '/segmentation/mask', lambda _: time.sleep(float(argument)), reliable
)
print('ready', flush=True)
rclpy.spin(node)
