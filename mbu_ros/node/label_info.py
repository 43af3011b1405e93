# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the class ids mean, as vision_msgs/LabelInfo, where vision_msgs is installed."""

from __future__ import annotations

import importlib
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from mbu_ros.data.sample import ClassMap

# Who subscribes later gets it too.
LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class LabelInfoPublisher:
    """Publishes classes and threshold once, and again when they change.

    Args:
        node: the node.
        topic: relative to its namespace.
    """

    def __init__(self, node: Node, topic: str) -> None:
        self._node = node
        self._published: tuple[ClassMap, float] | None = None
        self._messages = _vision_messages()
        self._publisher = None
        if self._messages is not None:
            self._publisher = node.create_publisher(self._messages.LabelInfo, topic, LATCHED_QOS)

    @property
    def topic(self) -> str | None:
        """Full name of the topic; None where there is none for want of vision_msgs."""
        return None if self._publisher is None else self._publisher.topic_name

    def update(self, classes: ClassMap, threshold: float) -> None:
        """Publish, unless this is what was published last.

        Args:
            classes: of the model.
            threshold: confidence below which pixels are unlabelled, 0 to 1.
        """
        if self._publisher is None or (classes, threshold) == self._published:
            return
        self._published = (classes, threshold)
        message = self._messages.LabelInfo()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.threshold = float(threshold)
        for number, name in enumerate(classes.names):
            entry = self._messages.VisionClass()
            entry.class_id, entry.class_name = number, name
            message.class_map.append(entry)
        self._publisher.publish(message)

    def destroy(self) -> None:
        """Give up the publisher."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None


def _vision_messages() -> Any:
    try:
        return importlib.import_module('vision_msgs.msg')
    except ImportError:
        return None
