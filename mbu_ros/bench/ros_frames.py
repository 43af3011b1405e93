# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images as they go over the wire, ready to be sent at once; only their stamps are written anew.

No ROS here: `ros_camera_node.CameraSender` sends them.
"""

from __future__ import annotations

import struct

import numpy as np

from mbu_ros.bags.format import IMAGE, SECOND, TYPESTORE
from mbu_ros.bags.messages import make_header, make_image

STAMP = 4
"""Where sec and nanosec of the header lie in a serialized image: after CDR's own header."""


def image_message(pixels: np.ndarray) -> bytes:
    """A sensor_msgs/Image, rgb8, of pixels, uint8 [H, W, 3], serialized as CDR."""
    return bytes(TYPESTORE.serialize_cdr(make_image(make_header(0), pixels, 'rgb8'), IMAGE))


def random_frame(height: int, width: int, seed: int = 0) -> bytes:
    """The same of random pixels."""
    generator = np.random.default_rng(seed)
    return image_message(generator.integers(0, 256, (height, width, 3), np.uint8))


def stamped(message: bytes, nanoseconds: int) -> bytes:
    """The message, serialized as CDR, with another stamp in its header, which it begins with."""
    view = memoryview(message)
    stamp = struct.pack(_order(message) + 'iI', *divmod(nanoseconds, SECOND))
    return b''.join((view[:STAMP], stamp, view[STAMP + len(stamp) :]))


def stamp_of(message: bytes) -> int:
    """The stamp, in nanoseconds, of a message serialized as CDR that begins with a header."""
    seconds, nanoseconds = struct.unpack_from(_order(message) + 'iI', message, STAMP)
    return seconds * SECOND + nanoseconds


def _order(message: bytes) -> str:
    # The lowest bit of the representation identifier's second byte (OMG DDSI-RTPS, 10.5).
    return '<' if message[1] & 1 else '>'
