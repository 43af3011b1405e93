# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to write into bags, as objects of rosbags."""

from __future__ import annotations

import cv2
import numpy as np

from mbu_ros.bags.format import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    FRAME_ID,
    IMAGE,
    SECOND,
    TYPESTORE,
)
from mbu_ros.errors import InputError

# Focal length of a camera that sees 60 degrees from left to right, in image widths.
FOCAL_LENGTH = 0.5 / np.tan(np.radians(30.0))


def make_header(stamp: int) -> object:
    """A std_msgs/Header of this package's camera with a stamp in nanoseconds."""
    time = _message('builtin_interfaces/msg/Time', sec=stamp // SECOND, nanosec=stamp % SECOND)
    return _message('std_msgs/msg/Header', stamp=time, frame_id=FRAME_ID)


def make_image(header: object, pixels: np.ndarray, encoding: str) -> object:
    """A sensor_msgs/Image of uint8 pixels [H, W, channels] or [H, W]."""
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).reshape(-1)
    return _message(
        IMAGE,
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=data.size // height,
        data=data,
    )


def make_compressed_image(header: object, pixels: np.ndarray) -> object:
    """A sensor_msgs/CompressedImage, JPEG, of RGB pixels, uint8 [H, W, 3]."""
    done, encoded = cv2.imencode('.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not done:
        height, width = pixels.shape[:2]
        raise InputError(f'a {width}x{height} image does not fit a JPEG; write it raw')
    return _message(COMPRESSED_IMAGE, header=header, format='jpeg', data=encoded.reshape(-1))


def make_camera_info(header: object, pixels: np.ndarray) -> object:
    """A sensor_msgs/CameraInfo of an ideal pinhole camera that took these pixels [H, W, ...]."""
    height, width = pixels.shape[:2]
    focal = FOCAL_LENGTH * width
    x, y = (width - 1) / 2, (height - 1) / 2
    return _message(
        CAMERA_INFO,
        header=header,
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=np.array([focal, 0, x, 0, focal, y, 0, 0, 1], np.float64),
        r=np.eye(3).reshape(-1),
        p=np.array([focal, 0, x, 0, 0, focal, y, 0, 0, 0, 1, 0], np.float64),
        binning_x=0,
        binning_y=0,
        roi=_message(
            'sensor_msgs/msg/RegionOfInterest',
            x_offset=0,
            y_offset=0,
            height=0,
            width=0,
            do_rectify=False,
        ),
    )


def _message(kind: str, **fields: object) -> object:
    return TYPESTORE.types[kind](**fields)
