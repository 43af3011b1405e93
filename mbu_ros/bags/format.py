# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the bags of this package look like: topics, message types, stamps, and where classes go."""

from __future__ import annotations

import json

from rosbags.typesys import Stores, get_typestore

from mbu_ros.data.sample import ClassMap

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'

IMAGE_TOPIC = '/camera/image_raw'
COMPRESSED_SUFFIX = '/compressed'
"""What image_transport appends to an image topic for its compressed form."""
COMPRESSED_TOPIC = IMAGE_TOPIC + COMPRESSED_SUFFIX
LABEL_TOPIC = '/camera/label'
CAMERA_INFO_TOPIC = '/camera/camera_info'
FRAME_ID = 'camera'

CLASSES_KEY = 'mbu_ros.classes'
"""Key in the bag's custom data: JSON object with `names` and `colors` of the labels' classes."""

TYPESTORE = get_typestore(Stores.ROS2_HUMBLE)
"""Message types of the oldest ROS 2 release supported; image messages are the same in all."""

SECOND = 10**9


def stamp_nanoseconds(message: object) -> int:
    """A message's header stamp in nanoseconds, of rclpy or of rosbags."""
    stamp = message.header.stamp
    return stamp.sec * SECOND + stamp.nanosec


def stamp_name(nanoseconds: int) -> str:
    """A stamp as 'seconds.nanoseconds' with nine digits after the point: a frame's name."""
    return f'{nanoseconds // SECOND}.{nanoseconds % SECOND:09d}'


def dump_classes(classes: ClassMap) -> str:
    """Classes as text for the bag's custom data."""
    return json.dumps({'names': classes.names, 'colors': classes.colors})


def parse_classes(text: str) -> ClassMap:
    """The inverse of `dump_classes`; ValueError, TypeError or KeyError if it is not such a text."""
    content = json.loads(text)
    colors = tuple((int(red), int(green), int(blue)) for red, green, blue in content['colors'])
    return ClassMap(tuple(str(name) for name in content['names']), colors)


def raw_topic(compressed: str) -> str:
    """The topic under which a compressed image topic's images go when they are decompressed."""
    if compressed.endswith(COMPRESSED_SUFFIX):
        return compressed[: -len(COMPRESSED_SUFFIX)]
    return compressed + '/raw'
