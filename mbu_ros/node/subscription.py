# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A subscription to images that says in the log why none come, and what to set."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from sensor_msgs.msg import Image

from mbu_ros.node.parameters import Settings

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

PATIENCE_SECONDS = 5.0
"""How long to wait for a publisher before saying that there is none."""
LOG_PERIOD_SECONDS = 5.0
"""Losses are logged no more often than this."""


class ImageSubscription:
    """Subscribes to the node's relative topic `image`.

    Args:
        node: the node.
        settings: reliability and depth.
        on_image: called with each sensor_msgs/Image.
        on_lost: called with the number of images that the middleware lost, each time it tells.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        on_image: Callable[[Image], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._node = node
        self._topic = node.resolve_topic_name('image')
        self._reliability = settings.reliability
        self._on_image = on_image
        self._on_lost = on_lost
        self._received = False
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=settings.queue_depth,
            reliability=ReliabilityPolicy[settings.reliability.upper()],
        )
        try:
            self._subscription = node.create_subscription(
                Image,
                'image',
                self._take_image,
                qos,
                event_callbacks=SubscriptionEventCallbacks(
                    incompatible_qos=self._on_incompatible, message_lost=self._on_message_lost
                ),
            )
        except UnsupportedEventTypeError:  # by some middleware; rclpy's default events remain
            self._subscription = node.create_subscription(Image, 'image', self._take_image, qos)
        self._patience = node.create_timer(
            PATIENCE_SECONDS, self._check_publisher, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._patience)
        self._node.destroy_subscription(self._subscription)

    def _take_image(self, message: Image) -> None:
        self._received = True
        self._on_image(message)

    def _on_incompatible(self, event: object) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        advice = (
            'set the parameter reliability to best_effort here, or make the publisher reliable'
            if policy == 'RELIABILITY'
            else f'change the {policy} of the publisher'
        )
        self._node.get_logger().warning(
            f'A publisher on {self._topic} offers a QoS that does not fit (this node asks for '
            f'{self._reliability}), its images will not come: {advice}'
        )

    def _on_message_lost(self, event: object) -> None:
        self._on_lost(event.total_count_change)
        advice = 'give the middleware larger buffers (for Fast DDS and Cyclone: net.core.rmem_*)'
        if self._reliability == 'best_effort':
            advice = f'set the parameter reliability to reliable, or {advice}'
        self._node.get_logger().warning(
            f'{event.total_count} images of {self._topic} were lost on the way to this node; if '
            f'that goes on, {advice}',
            throttle_duration_sec=LOG_PERIOD_SECONDS,
        )

    def _check_publisher(self) -> None:
        self._patience.cancel()
        if self._received or self._node.count_publishers(self._topic):
            return
        own = self._node.get_publisher_names_and_types_by_node(
            self._node.get_name(), self._node.get_namespace()
        )
        others = [
            name
            for name, types in self._node.get_topic_names_and_types()
            if 'sensor_msgs/msg/Image' in types
            and name not in {topic for topic, _ in own}
            and self._node.count_publishers(name)
        ]
        known = f'image topics here are {", ".join(others)}' if others else 'no image topic is here'
        self._node.get_logger().warning(
            f'No publisher on {self._topic} after {PATIENCE_SECONDS:.0f} s; {known}. Start the '
            'camera, or remap: -r image:=TOPIC'
        )
