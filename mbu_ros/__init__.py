# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real-time semantic segmentation for ROS 2 with masked binary U-Nets."""

import os

__version__ = '0.1.0'

# OpenCV reads this when it is loaded. Its own limit lets a JPEG of a few hundred bytes whose header
# claims a gigapixel take gigabytes before anybody can look at its size.
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(100_000_000))
