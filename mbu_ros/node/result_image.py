# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An image message whose memory is used again for each frame."""

from __future__ import annotations

import array
import sys
from typing import Any

import numpy as np
from sensor_msgs.msg import Image

DTYPES = {'mono8': np.uint8, 'rgb8': np.uint8, '32FC1': np.float32}
"""Of the numbers of each encoding of results."""


class ResultImage:
    """A sensor_msgs/Image that is written, published, and written again; for one thread.

    Publishing copies all of a message, so that its memory is free afterwards. New memory for every
    frame would cost more than writing to it: the system has to clear it page by page.

    Args:
        encoding: one of `DTYPES`.

    Attributes:
        message: the image.
    """

    def __init__(self, encoding: str) -> None:
        self.message = Image(encoding=encoding, is_bigendian=int(sys.byteorder == 'big'))
        self._dtype = np.dtype(DTYPES[encoding])
        self._channels = (3,) if encoding == 'rgb8' else ()
        self._pixels = np.empty((0, 0, *self._channels), self._dtype)

    def pixels(self, header: Any, height: int, width: int) -> np.ndarray:
        """Set header and size; returns the pixels, [H, W] or [H, W, 3], to be written to."""
        message = self.message
        message.header = header
        if (message.height, message.width) != (height, width):
            message.height, message.width = height, width
            message.step = width * int(np.prod(self._channels)) * self._dtype.itemsize
            # Assigned as an array of bytes: anything else, rclpy checks number by number.
            message.data = array.array('B', bytes(height * message.step))
            self._pixels = np.frombuffer(message.data, self._dtype).reshape(
                height, width, *self._channels
            )
        return self._pixels
