# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node: its subscription, its newest frame, its results, its statistics."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from mbu_ros.engine.base import RawFrame
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import fill_image, to_rgb
from mbu_ros.imaging.overlay import overlay
from mbu_ros.node.lasting import LastingEngine
from mbu_ros.node.newest import Frame, Newest
from mbu_ros.node.parameters import Settings
from mbu_ros.node.statistics import FrameStatistics
from mbu_ros.node.subscription import ImageSubscription

# Reliable results reach reliable and best-effort subscribers alike, so that RViz, image_view and
# rosbag2 need no setting. Few are kept: a mask that is late is worth little.
RESULT_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
LOG_PERIOD_SECONDS = 5.0
"""Bad frames are logged no more often than this."""


class Camera:
    """Receives in the executor's thread; `segment_newest` runs in the engine's.

    Args:
        node: the node; topics are relative to its namespace.
        settings: QoS of the subscription.
        on_frame: called with no arguments when a frame waits and none did before.
    """

    def __init__(self, node: Node, settings: Settings, on_frame: Callable[[], None]) -> None:
        self.topic = node.resolve_topic_name('image')
        self.statistics = FrameStatistics()
        self._node = node
        self._on_frame = on_frame
        self._newest = Newest()
        self._mask = node.create_publisher(Image, 'segmentation/mask', RESULT_QOS)
        self._overlay = node.create_publisher(Image, 'segmentation/overlay', RESULT_QOS)
        self._settings = settings
        self._subscription: ImageSubscription | None = None

    @property
    def result_topics(self) -> tuple[str, str]:
        """Full names of the topics of masks and overlays."""
        return self._mask.topic_name, self._overlay.topic_name

    def open(self) -> None:
        """Subscribe."""
        self._subscription = ImageSubscription(
            self._node, self._settings, self._on_image, self.statistics.count_lost
        )

    def close(self) -> None:
        """Unsubscribe, and drop the frame that waits. One being segmented is not touched."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        if self._newest.take() is not None:
            self.statistics.count_superseded()

    def destroy(self) -> None:
        """Give up the publishers as well. Only when no frame is being segmented any more."""
        self.close()
        self._node.destroy_publisher(self._mask)
        self._node.destroy_publisher(self._overlay)

    def segment_newest(self, engine: LastingEngine) -> None:
        """Segment the frame that waits, if any, and publish; a bad frame is counted and logged."""
        frame = self._newest.take()
        if frame is None:
            return
        try:
            self._segment(engine, frame)
        except InputError as error:
            self._drop(str(error))
        # Whatever an engine or a publisher throws at one frame must not end the stream.
        except Exception as error:
            self._drop(f'{type(error).__name__}: {error}')

    def _segment(self, engine: LastingEngine, frame: Frame) -> None:
        taken = time.perf_counter()
        # As it came: an engine on a GPU converts it there.
        result = engine.segment([_raw(frame.message)])[0]
        segmented = time.perf_counter()
        self._mask.publish(_image(frame, result.labels, 'mono8'))
        published = time.perf_counter()
        if self._overlay.get_subscription_count() > 0:
            alpha = self._node.get_parameter('overlay_alpha').value
            colors = engine.model.classes.colors
            image = overlay(to_rgb(frame.message), result.labels, colors, alpha)
            self._overlay.publish(_image(frame, image, 'rgb8'))
        # Last, so that a frame is counted once, whatever goes wrong.
        self.statistics.count_segmented(
            {
                'wait': (taken - frame.received) * 1e3,
                **result.milliseconds,
                'publish': (published - segmented) * 1e3,
                'total': (published - frame.received) * 1e3,
            }
        )

    def _on_image(self, message: Image) -> None:
        self.statistics.count_received()
        if self._newest.put(Frame(message, time.perf_counter())) is None:
            self._on_frame()
        else:
            self.statistics.count_superseded()

    def _drop(self, reason: str) -> None:
        self.statistics.count_bad()
        self._node.get_logger().warning(
            f'Dropped a frame of {self.topic}: {reason}',
            throttle_duration_sec=LOG_PERIOD_SECONDS,
        )


def _raw(message: Image) -> RawFrame:
    return RawFrame(
        message.data,
        message.height,
        message.width,
        message.step,
        message.encoding,
        message.is_bigendian,
    )


def _image(frame: Frame, pixels: np.ndarray, encoding: str) -> Image:
    message = Image(header=frame.message.header)
    fill_image(message, pixels, encoding)
    return message
