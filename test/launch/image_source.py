# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera for the tests: `image_source.py TOPIC FRAME_ID` publishes grey images until killed."""

import sys
import time

import numpy as np
import rclpy
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import fill_image

topic, frame_id = sys.argv[1:]
rclpy.init()
node = rclpy.create_node('image_source')
publisher = node.create_publisher(Image, topic, 5)
message = Image()
message.header.frame_id = frame_id
fill_image(message, np.full((48, 64, 3), 128, np.uint8), 'rgb8')
while True:
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    time.sleep(0.05)
