# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What whatever starts a node for a while asks of ROS on this machine, before DDS starts."""

from __future__ import annotations

import importlib
import os
import shutil

from mbu_ros.errors import InputError
from mbu_ros.share import share_directories

PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
"""Variables that name the settings of Fast DDS; the second is that of ROS 2 Humble."""
LARGE_IMAGES = 'fastdds_large_images.xml'
SHARED_MEMORY = '/dev/shm'  # noqa: S108 (its free space is asked for, no more)
SHARED_BYTES = 256 * 1024 * 1024
"""What those settings need of it, for two processes, and as much again for others."""
MIDDLEWARE = (
    'RMW_IMPLEMENTATION',
    *PROFILES,
    'FASTDDS_BUILTIN_TRANSPORTS',
    'CYCLONEDDS_URI',
    'ZENOH_SESSION_CONFIG_URI',
)
"""Variables of the environment that say how messages travel."""


def require_rclpy() -> None:
    """Raise InputError where no ROS node can run, before any work is done for one."""
    try:
        importlib.import_module('rclpy')
    except ModuleNotFoundError as error:
        if error.name != 'rclpy':
            raise InputError(f'rclpy is incomplete here: {error}') from error
        raise InputError(
            "rclpy is not installed, so no ROS node can run: pip install '.[ros]' in this "
            "package's source folder, or source a ROS 2 installation first"
        ) from error
    except ImportError as error:  # its libraries are not found, or made for another Python
        raise InputError(
            f'rclpy is installed, but cannot be loaded: {str(error).splitlines()[0]}; source the '
            'ROS 2 installation that it belongs to, or run in the virtual environment that it is in'
        ) from error


def prepare_middleware() -> None:
    """Keep ROS to this machine, with room for large images, in this process and those it starts.

    What is measured is this machine, and no other shall hear it. Without that room, parts of images
    are sent again some seconds later: what is measured then is the middleware alone.
    """
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    prefer_large_images()


def prefer_large_images() -> None:
    """Have Fast DDS make room for large images, in this process and those that it starts.

    Whoever has set something for the middleware keeps that. Without room for it, as in a container
    as Docker starts it, Fast DDS is better left alone.
    """
    if middleware().keys() - {'RMW_IMPLEMENTATION'}:
        return
    try:
        if shutil.disk_usage(SHARED_MEMORY).free < SHARED_BYTES:
            return
    except OSError:  # not Linux
        return
    name = PROFILES[os.environ.get('ROS_DISTRO') == 'humble']
    for folder in share_directories('config'):
        if (folder / LARGE_IMAGES).is_file():
            os.environ[name] = str(folder / LARGE_IMAGES)
            return


def middleware() -> dict[str, str]:
    """What was set for the middleware, which decides more than much else."""
    return {name: os.environ[name] for name in MIDDLEWARE if name in os.environ}
