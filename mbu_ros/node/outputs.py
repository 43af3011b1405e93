# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that is published of one camera's frames, each topic only while somebody subscribes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.data.sample import ClassMap
from mbu_ros.node.camera_info import CameraInfoRelay
from mbu_ros.node.label_info import LabelInfoPublisher
from mbu_ros.node.newest import Frame
from mbu_ros.node.parameters import Live
from mbu_ros.node.pictures import PICTURES, Pictures, Scene
from mbu_ros.node.result_image import ResultImage
from mbu_ros.node.timing import timing_message

# Reliable results reach reliable and best-effort subscribers alike, so that RViz, image_view and
# rosbag2 need no setting. Few are kept: a mask that is late is worth little.
RESULT_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)

_TYPES = {
    'mask': Image,
    'color': Image,
    'overlay': Image,
    'overlay/compressed': CompressedImage,
    'confidence': Image,
    'timing': DiagnosticArray,
}
OF_THE_ENGINE = frozenset(_TYPES)
"""Topics, below a camera's `segmentation/`, for which a frame has to be segmented."""


@dataclass(frozen=True)
class Result:
    """What was found in a frame.

    Attributes:
        labels: uint8 [H, W], 255 where unlabelled.
        scores: float32 [H, W], 0 to 1; None where nobody asked for them.
        image: (height, width) of the frame, which may be another than that of the labels.
        classes: what the labels mean.
        threshold: confidence below which pixels are unlabelled.
    """

    labels: np.ndarray
    scores: np.ndarray | None
    image: tuple[int, int]
    classes: ClassMap
    threshold: float = 0.0


class Outputs:
    """The publishers of one camera. For the engine's thread, but for what says otherwise.

    Args:
        node: the node.
        name: of the camera; '' for the one without.
        image_topic: full name of its topic of raw images.
        live: parameters as they are now.
        confidence_encoding: of the image of scores, 'mono8' or '32FC1'.
    """

    def __init__(
        self, node: Node, name: str, image_topic: str, live: Live, confidence_encoding: str
    ) -> None:
        base = f'{name}/segmentation' if name else 'segmentation'
        self._node = node
        self._name = name
        self._live = live
        self._title = node.get_fully_qualified_name().lstrip('/')
        self._publishers = {
            topic: node.create_publisher(kind, f'{base}/{topic}', RESULT_QOS)
            for topic, kind in _TYPES.items()
        }
        self._mask = ResultImage('mono8')
        self._confidence = ResultImage(confidence_encoding)
        self._info = CameraInfoRelay(node, image_topic, f'{base}/camera_info', RESULT_QOS)
        self._labels = LabelInfoPublisher(node, f'{base}/label_info')
        self._pictures = Pictures(
            name, {topic: self._publishers[topic] for topic in PICTURES}, node.get_logger()
        )

    @property
    def topics(self) -> dict[str, str]:
        """Full names by short ones, such as 'mask'."""
        found = {topic: publisher.topic_name for topic, publisher in self._publishers.items()}
        found['camera_info'] = self._info.publisher.topic_name
        if self._labels.topic:
            found['label_info'] = self._labels.topic
        return found

    def wanted(self) -> frozenset[str]:
        """Topics that somebody subscribes to and that may be published; for any thread.

        Without label_info, which does not depend on frames.
        """
        publishers = {**self._publishers, 'camera_info': self._info.publisher}
        return frozenset(
            topic
            for topic in self._live.outputs(self._name)
            if topic in publishers and publishers[topic].get_subscription_count() > 0
        )

    def watch(self, wanted: frozenset[str]) -> None:
        """Have at hand what these topics need; for the executor's thread."""
        self._info.watch('camera_info' in wanted)

    def describe(self, classes: ClassMap) -> None:
        """Say what labels mean, unless that was said already; for any thread."""
        if 'label_info' in self._live.outputs(self._name):
            self._labels.update(classes, self._live.confidence_threshold)

    def publish_mask(self, frame: Frame, result: Result, wanted: frozenset[str]) -> None:
        """Publish what other nodes work with; the mask first."""
        header, size = frame.message.header, result.labels.shape
        self.describe(result.classes)
        if 'mask' in wanted:
            np.copyto(self._mask.pixels(header, *size), result.labels)
            self._publishers['mask'].publish(self._mask.message)

    def publish_others(self, frame: Frame, result: Result, wanted: frozenset[str]) -> None:
        """Publish scores and calibration, and have the pictures drawn."""
        header, size = frame.message.header, result.labels.shape
        if 'camera_info' in wanted:
            self._info.publish(header, result.image, size)
        if 'confidence' in wanted and result.scores is not None:
            pixels = self._confidence.pixels(header, *size)
            if pixels.dtype == np.uint8:
                cv2.convertScaleAbs(result.scores, pixels, 255)
            else:
                np.copyto(pixels, result.scores)
            self._publishers['confidence'].publish(self._confidence.message)
        pictures = wanted & frozenset(PICTURES)
        if pictures:
            # A copy, since the engine may use the memory of its labels again.
            scene = Scene(
                frame,
                result.labels.copy(),
                result.classes.colors,
                self._live.overlay_alpha,
                pictures,
            )
            self._pictures.draw(scene)

    def publish_calibration(
        self, frame: Frame, image: tuple[int, int], result: tuple[int, int]
    ) -> None:
        """Publish the camera_info of a frame that is not segmented; sizes are (height, width)."""
        self._info.publish(frame.message.header, image, result)

    def publish_timing(
        self, frame: Frame, times: Mapping[str, float | None], batch: int
    ) -> None:
        """Publish where a frame's time went; see `timing.TIMES`."""
        self._publishers['timing'].publish(
            timing_message(frame.message.header, self._title, self._name, times, batch)
        )

    def destroy(self) -> None:
        """Give up all publishers. Only when no frame is being segmented any more."""
        self._pictures.close()
        self._info.destroy()
        self._labels.destroy()
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers = {}
