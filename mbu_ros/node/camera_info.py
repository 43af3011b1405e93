# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's calibration, passed on with the header of each result and scaled to its size."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from mbu_ros.node.ros_logging import SELDOM

MOST_PIXELS = 2**32 - 1
"""Sizes are 32-bit numbers in messages."""
RECENT = 8
"""Calibrations kept: a frame may have to wait for its turn while newer ones come."""


class CameraInfoRelay:
    """Passes on the `camera_info` that lies beside the topic of images, as image_transport has it.

    It subscribes while somebody subscribes to what it publishes.

    Args:
        node: the node.
        image_topic: full name of the topic of raw images.
        topic: what to publish on, relative to the node's namespace.
        qos: of the publisher.

    Attributes:
        publisher: what it publishes with.
    """

    def __init__(self, node: Node, image_topic: str, topic: str, qos: QoSProfile) -> None:
        self._node = node
        self._source = f'{image_topic.rpartition("/")[0]}/camera_info'
        self.publisher = node.create_publisher(CameraInfo, topic, qos)
        self._subscription: Subscription | None = None
        # Replaced whole, so that threads need no lock.
        self._recent: tuple[CameraInfo, ...] = ()

    def watch(self, wanted: bool) -> None:
        """Subscribe, or unsubscribe; for the executor's thread."""
        if wanted and self._subscription is None:
            try:
                self._subscription = self._node.create_subscription(
                    CameraInfo, self._source, self._keep, qos_profile_sensor_data
                )
            # The middleware refuses a topic that this process uses with another type.
            except Exception as error:
                self._node.get_logger().error(
                    f'No calibration from {self._source}: {error}',
                    **SELDOM,
                )
        elif not wanted and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._recent = ()

    def publish(self, header: Any, image: tuple[int, int], result: tuple[int, int]) -> None:
        """Publish the calibration of a frame; none where none of its size is known.

        Args:
            header: of the frame.
            image: (height, width) of the frame.
            result: (height, width) of its results.
        """
        info = matching(self._recent, header.stamp, image)
        if info is not None:
            self.publisher.publish(scaled(info, header, image, result))
        elif self._recent:
            newest = self._recent[-1]
            self._node.get_logger().warning(
                f'{self._source} is of {newest.width}x{newest.height}, the images beside it are '
                f'of {image[1]}x{image[0]}: it is not passed on',
                **SELDOM,
            )

    def destroy(self) -> None:
        """Give up publisher and subscription."""
        self.watch(False)
        self._node.destroy_publisher(self.publisher)

    def _keep(self, info: CameraInfo) -> None:
        self._recent = (*self._recent[1 - RECENT :], info)


def matching(
    infos: tuple[CameraInfo, ...], stamp: Any, image: tuple[int, int]
) -> CameraInfo | None:
    """The calibration of a frame: that of its stamp, else the newest for images of its size."""
    fitting = [info for info in infos if image_size(info) == image]
    for info in reversed(fitting):
        if info.header.stamp == stamp:
            return info
    return fitting[-1] if fitting else None


def image_size(info: CameraInfo) -> tuple[int, int]:
    """(height, width) of the images that a calibration is for: a binned part of the sensor's."""
    height = info.roi.height or info.height
    width = info.roi.width or info.width
    return height // max(1, info.binning_y), width // max(1, info.binning_x)


def scaled(
    info: CameraInfo, header: Any, image: tuple[int, int], result: tuple[int, int]
) -> CameraInfo:
    """A calibration for results of another size than the images it is for.

    Pixel coordinates are scaled as image_proc does it: distortion and rectification stay.
    """
    vertical, horizontal = result[0] / image[0], result[1] / image[1]

    def pixels(value: int, factor: float) -> int:
        # A part of the image that lies beyond every image would not fit its field.
        return min(round(value * factor), MOST_PIXELS)

    k, p = [float(value) for value in info.k], [float(value) for value in info.p]
    for index in range(3):
        k[index] *= horizontal
        k[3 + index] *= vertical
    for index in range(4):
        p[index] *= horizontal
        p[4 + index] *= vertical
    return CameraInfo(
        header=header,
        height=pixels(info.height, vertical),
        width=pixels(info.width, horizontal),
        distortion_model=info.distortion_model,
        d=info.d,
        k=k,
        r=info.r,
        p=p,
        binning_x=info.binning_x,
        binning_y=info.binning_y,
        roi=RegionOfInterest(
            x_offset=pixels(info.roi.x_offset, horizontal),
            y_offset=pixels(info.roi.y_offset, vertical),
            height=pixels(info.roi.height, vertical),
            width=pixels(info.roi.width, horizontal),
            do_rectify=info.roi.do_rectify,
        ),
    )
