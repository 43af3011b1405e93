# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What comes before a node is measured: ROS is there, the node starts, and answers images."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import TYPE_CHECKING

from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.errors import InputError
from mbu_ros.share import share_directories

if TYPE_CHECKING:
    from mbu_ros.bench.ros_camera_node import CameraSender
    from mbu_ros.bench.ros_exchange import Exchange

START_SECONDS = 120.0
"""For a node to start: the first time, kernels are compiled."""
FIRST_FRAMES = 2
"""A second one is sent in case the first gets lost."""
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


def prepare_ros() -> type[CameraSender]:
    """Keep ROS to this machine, and import what sends images.

    Raises:
        InputError: ROS 2 is not installed.
    """
    if importlib.util.find_spec('rclpy') is None:
        raise InputError(
            "rclpy is not installed: pip install '.[ros]' in this package's source folder, or "
            'source a ROS 2 installation first'
        )
    # Before DDS starts. What is measured is this machine, and no other shall hear it.
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    from mbu_ros.bench.ros_camera_node import CameraSender

    return CameraSender


def prefer_large_images() -> None:
    """Have Fast DDS make room for large images, in this process and those that it starts.

    To be called before DDS starts. Whoever has set something for the middleware keeps that. Without
    room for it, as in a container as Docker starts it, Fast DDS is better left alone.
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


def await_partner(sender: CameraSender, process: RosProcess) -> None:
    """Wait until the node is connected and has answered an image of each camera.

    Raises:
        InputError: it does not start, ends, or answers none; the text has the end of its log.
    """
    if not sender.wait_for_partner(START_SECONDS, process.check):
        raise InputError(f'the node did not start in {START_SECONDS:.0f} s; {process.last_words}')
    for name, exchange in sender.one_by_one(FIRST_FRAMES, timing=False).items():
        if not exchange.received:
            of_camera = f' of {name}' if name else ''
            raise InputError(f'the node answered no image{of_camera}; {process.last_words}')


def engine_of(output: str) -> str:
    """What the node logged of its engine; '' if nothing."""
    for line in output.splitlines():
        if 'Engine: ' in line:
            return line.partition('Engine: ')[2]
    return ''


def start_rate(exchange: Exchange) -> float:
    """A rate, in Hz, that a node about keeps up with, by frames that were sent one by one."""
    latencies = sorted(exchange.latencies.values())
    return 1e3 / latencies[len(latencies) // 2] if latencies else 1.0
