# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of a `ros_camera_node.CameraSender`: its publisher, its subscriptions, its account."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.bags.format import stamp_nanoseconds
from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.bench.ros_frames import stamp_of, stamped

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class SendingCamera:
    """The publisher and the subscriptions of one camera.

    Args:
        node: what they belong to.
        name: of the camera, '' without one.
        compressed: whether it sends CompressedImage.
        came: notified of all that comes; held while `exchange` is written to by what comes.

    Attributes:
        frames: what is sent, without end.
        exchange: where it is noted.
        publisher: of images.
    """

    def __init__(
        self, node: Node, name: str, compressed: bool, came: threading.Condition
    ) -> None:
        self.frames: Iterator[bytes] = iter(())
        self.exchange = Exchange()
        self._node, self._came = node, came
        self._prefix = f'{name}/' if name else ''
        kind, topic = (CompressedImage, 'image/compressed') if compressed else (Image, 'image')
        self.publisher = node.create_publisher(kind, self._prefix + topic, RELIABLE)
        # Unread but for its stamp, a mask costs this process next to nothing.
        mask = node.create_subscription(
            Image, f'{self._prefix}segmentation/mask', self._take_mask, RELIABLE, raw=True
        )
        self._mask_topic = mask.topic_name
        self._timing: Subscription | None = None

    @property
    def has_partner(self) -> bool:
        """Whether somebody subscribes to the images and somebody publishes masks."""
        masks = self._node.count_publishers(self._mask_topic)
        return bool(masks and self.publisher.get_subscription_count())

    def send(self) -> None:
        """Publish the next frame, with the time now as its stamp."""
        frame = next(self.frames)
        stamp = time.time_ns()
        self.exchange.sent[stamp] = time.perf_counter()
        self.publisher.publish(stamped(frame, stamp))

    def subscribe_to_timing(self, wanted: bool) -> bool:
        """Subscribe or unsubscribe; whether that was a change."""
        if wanted == (self._timing is not None):
            return False
        if wanted:
            self._timing = self._node.create_subscription(
                DiagnosticArray, f'{self._prefix}segmentation/timing', self._take_times, RELIABLE
            )
        else:
            self._node.destroy_subscription(self._timing)
            self._timing = None
        return True

    def _take_mask(self, message: bytes) -> None:
        now = time.perf_counter()
        stamp = stamp_of(message)
        with self._came:
            # One that comes late, of a frame that was given up, is none of this exchange.
            if stamp in self.exchange.sent:
                self.exchange.masks[stamp] = now
            self._came.notify_all()

    def _take_times(self, message: DiagnosticArray) -> None:
        times = {}
        for item in message.status[0].values:
            name, _, unit = item.key.partition(' (')
            if unit == 'ms)' and item.value:
                times[name] = float(item.value)
        with self._came:
            self.exchange.times[stamp_nanoseconds(message)] = times
            self._came.notify_all()
