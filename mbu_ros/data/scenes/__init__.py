# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic street scenes: drives seen by a moving camera, with an exact label per pixel.

    from mbu_ros.data.scenes import CLASSES, Drive
    frame = Drive(seed=7, frames=100)[42]
    frame.image, frame.label, frame.time

Everything is drawn from a seed with NumPy and OpenCV; there is nothing to download. street.py and
layout.py lay the street out in metres (world.py says of what); mesh.py and the files named after
objects turn it into polygons; raster.py, ground.py and light.py draw them; sensor.py is the
camera's own imperfection; scene.py puts a frame together; drive.py is the way in.
"""

from .classes import CLASSES, COLORS
from .drive import Drive, Frame, split_drives

__all__ = ['CLASSES', 'COLORS', 'Drive', 'Frame', 'split_drives']
