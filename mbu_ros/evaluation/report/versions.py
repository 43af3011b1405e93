# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The software and the machine on which a report was made."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

from mbu_ros import __version__
from mbu_ros.bench.gpu import BOARD, open_nvml

RCLPY = ('rclpy', 'ros-rclpy')
"""Its name in an installation of ROS 2, and as a wheel."""
CPU_INFO = Path('/proc/cpuinfo')


def versions() -> dict[str, str | None]:
    """Versions and names by what they are of; None where it is not installed or not known."""
    return {
        'mbu_ros': __version__,
        'python': platform.python_version(),
        # Not from the metadata of packages, which a distribution's OpenCV does not have.
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'rosbags': _installed('rosbags'),
        'rclpy': _installed(*RCLPY),
        'ros_distro': os.environ.get('ROS_DISTRO'),
        'rmw_implementation': os.environ.get('RMW_IMPLEMENTATION'),
        'cuda_driver': _driver(),
        'platform': platform.platform(),
        'processor': processor(),
    }


def processor(cpu_info: Path = CPU_INFO, board: Path = BOARD) -> str | None:
    """Name of the board or of the processor, for people; None where the machine does not tell."""
    try:
        return board.read_text(errors='replace').strip('\0\n ')
    except OSError:
        pass
    try:
        found = re.search(r'^model name\s*:\s*(.+)$', cpu_info.read_text(), re.MULTILINE)
    except OSError:  # not Linux
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine() or None


def _installed(*packages: str) -> str | None:
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return None


def _driver() -> str | None:
    with open_nvml() as (gpu, _):
        return None if gpu is None else gpu.state()['driver']
