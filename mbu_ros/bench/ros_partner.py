# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What comes before a node is measured: ROS is there, the node starts, and answers images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbu_ros.bench.ros_machine import prepare_middleware, require_rclpy
from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.errors import InputError

if TYPE_CHECKING:
    from mbu_ros.bench.ros_camera_node import CameraSender
    from mbu_ros.bench.ros_exchange import Exchange

START_SECONDS = 120.0
"""For a node to start: the first time, kernels are compiled."""
FIRST_FRAMES = 2
"""A second one is sent in case the first gets lost."""


def prepare_ros() -> type[CameraSender]:
    """Prepare the middleware (see `ros_machine`), and import what sends images.

    Raises:
        InputError: ROS 2 is not installed, or cannot be loaded.
    """
    require_rclpy()
    prepare_middleware()
    from mbu_ros.bench.ros_camera_node import CameraSender

    return CameraSender


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
