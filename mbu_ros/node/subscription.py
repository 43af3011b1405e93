# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A subscription to images that says in the log why none come, and what to set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.node.memory import keep_freed_memory
from mbu_ros.node.parameters import CameraSettings
from mbu_ros.node.ros_logging import SELDOM
from mbu_ros.node.surroundings import explain, find_problem, fitting_publishers

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

MESSAGE_TYPES = {'raw': Image, 'compressed': CompressedImage}
"""By transport."""
WATCH_SECONDS = 1.0
"""How often to look at the publishers."""
PATIENCE_SECONDS = 5.0
"""How long something may be wrong with the publishers before that is said: one that starts again is
away for a moment, or there twice."""

Policies = tuple[ReliabilityPolicy, DurabilityPolicy]


class ImageSubscription:
    """Subscribes to the images of a camera.

    With reliability 'publisher' it takes reliability and durability from the first publisher, and
    subscribes anew when those change; before there is one, it asks for as little as possible.

    Args:
        node: the node.
        settings: transport, reliability and depth.
        topic: full name.
        on_image: called with each message, of `MESSAGE_TYPES`.
        on_lost: called with the number of images that the middleware lost, each time it tells.
    """

    def __init__(
        self,
        node: Node,
        settings: CameraSettings,
        topic: str,
        on_image: Callable[[Any], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._topic = topic
        self._type = MESSAGE_TYPES[settings.transport]
        self._on_image = on_image
        self._on_lost = on_lost
        self._problem = ''
        self._looks = 0
        # Until there is a publisher whose QoS to take; this hears all of them.
        self._policies = ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE
        self._policies = self._wanted_policies()
        keep_freed_memory()
        self._subscription = self._subscribe()
        # Steady time: a simulation that stands still has publishers too.
        self._timer = node.create_timer(
            WATCH_SECONDS, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def _wanted_policies(self) -> Policies:
        """Reliability and durability to subscribe with now."""
        wanted = self._settings.reliability
        if wanted != 'publisher':
            return ReliabilityPolicy[wanted.upper()], DurabilityPolicy.VOLATILE
        publishers = fitting_publishers(self._node, self._topic, self._type)
        if not publishers:
            return self._policies  # it is likely to come back as it was
        qos = publishers[0].qos_profile
        reliable = qos.reliability == ReliabilityPolicy.RELIABLE
        latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        return (
            ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )

    def _subscribe(self) -> Any:
        reliability, durability = self._policies
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=self._settings.queue_depth,
            reliability=reliability,
            durability=durability,
        )
        create = self._node.create_subscription
        try:
            return create(
                self._type,
                self._topic,
                self._on_image,
                qos,
                event_callbacks=SubscriptionEventCallbacks(
                    incompatible_qos=self._on_incompatible, message_lost=self._on_message_lost
                ),
            )
        except UnsupportedEventTypeError:  # by some middleware; rclpy's default events remain
            return create(self._type, self._topic, self._on_image, qos)

    def _look(self) -> None:
        """Follow the publisher's QoS, and say once what keeps images from coming."""
        policies = self._wanted_policies()
        if policies != self._policies:
            self._policies = policies
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._subscribe()
            self._node.get_logger().info(
                f'{self._topic}: subscribed as {policies[0].name.lower()}, '
                f'{policies[1].name.lower()}, like its publisher'
            )
        problem = find_problem(self._node, self._topic, self._type)
        self._looks = self._looks + 1 if problem == self._problem else 1
        self._problem = problem
        if problem and self._looks == round(PATIENCE_SECONDS / WATCH_SECONDS):
            name = f'{self._settings.name}/image'.lstrip('/')
            text = explain(self._node, problem, self._topic, self._type, name, PATIENCE_SECONDS)
            self._node.get_logger().warning(text)

    def _on_incompatible(self, event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        if self._settings.reliability == 'publisher':
            self._node.get_logger().info(
                f'A publisher on {self._topic} offers another {policy} than this node asks for'
            )
            return
        advice = (
            'set the parameter reliability to best_effort (or to publisher) here, or make the '
            'publisher reliable'
            if policy == 'RELIABILITY'
            else f'set the parameter reliability to publisher here, or change the {policy} of the '
            'publisher'
        )
        self._node.get_logger().warning(
            f'A publisher on {self._topic} offers a QoS that does not fit (this node asks for '
            f'{self._policies[0].name.lower()}), its images will not come: {advice}'
        )

    def _on_message_lost(self, event: Any) -> None:
        self._on_lost(event.total_count_change)
        advice = (
            'give the middleware larger buffers (on one machine with Fast DDS: '
            'config/fastdds_large_images.xml; between machines: net.core.rmem_*)'
        )
        if self._policies[0] == ReliabilityPolicy.BEST_EFFORT:
            advice = f'set the parameter reliability to reliable, or {advice}'
        self._node.get_logger().warning(
            f'{event.total_count} images of {self._topic} were lost on the way to this node; if '
            f'that goes on, {advice}',
            **SELDOM,
        )
