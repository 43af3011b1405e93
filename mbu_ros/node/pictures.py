# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results for people: classes in colour, and over the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage

from mbu_ros.imaging.compressed import fill_jpeg
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.imaging.overlay import Colors, colorize, overlay
from mbu_ros.imaging.resize import resize_frame
from mbu_ros.node.newest import Frame, NewestThread
from mbu_ros.node.result_image import ResultImage
from mbu_ros.node.ros_logging import SELDOM

PICTURES = ('color', 'overlay', 'overlay/compressed')
"""Topics of pictures, below a camera's `segmentation/`."""


@dataclass(frozen=True)
class Scene:
    """What pictures are made of.

    Attributes:
        frame: the image.
        labels: uint8 [H, W], its classes; the pictures are of that size.
        colors: of the classes.
        alpha: weight of the colours in overlays.
        wanted: which of `PICTURES`.
    """

    frame: Frame
    labels: np.ndarray
    colors: Colors
    alpha: float
    wanted: frozenset[str]


class Pictures:
    """Draws and publishes in a thread of its own.

    Drawing takes longer than a GPU takes for the mask, which must not have to wait for it. Where
    frames come faster than they can be drawn, the newest is.

    Args:
        name: of the camera, for the thread.
        publishers: one for each of `PICTURES`.
        log: the node's logger.
    """

    def __init__(self, name: str, publishers: Mapping[str, Publisher], log: Any) -> None:
        self._publishers = publishers
        self._log = log
        self._color = ResultImage('rgb8')
        self._overlay = ResultImage('rgb8')
        self._thread: NewestThread[Scene] = NewestThread(f'pictures {name}', self._try_to_draw)

    def draw(self, scene: Scene) -> None:
        """Draw later, unless a newer one comes first."""
        self._thread.put(scene)

    def close(self) -> None:
        """Wait for what is being drawn, and end the thread."""
        self._thread.close()

    def _try_to_draw(self, scene: Scene) -> None:
        try:
            self._draw(scene)
        except Exception as error:
            self._log.warning(
                f'A picture could not be published: {type(error).__name__}: {error}',
                **SELDOM,
            )

    def _draw(self, scene: Scene) -> None:
        header, labels = scene.frame.message.header, scene.labels
        if 'color' in scene.wanted:
            colorize(labels, scene.colors, self._color.pixels(header, *labels.shape))
            self._publishers['color'].publish(self._color.message)
        if scene.wanted <= {'color'}:
            return
        pixels = self._overlay.pixels(header, *labels.shape)
        image = resize_frame(rgb_of(scene.frame), *labels.shape)
        overlay(image, labels, scene.colors, scene.alpha, pixels)
        if 'overlay' in scene.wanted:
            self._publishers['overlay'].publish(self._overlay.message)
        if 'overlay/compressed' in scene.wanted:
            message = CompressedImage(header=header)
            fill_jpeg(message, pixels)
            self._publishers['overlay/compressed'].publish(message)


def rgb_of(frame: Frame) -> np.ndarray:
    """The frame's image: uint8 [H, W, 3] RGB; not to be written to.

    Raises:
        InputError: a raw image cannot be converted.
    """
    if frame.pixels is not None:
        return cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB)
    return to_rgb(frame.message)
