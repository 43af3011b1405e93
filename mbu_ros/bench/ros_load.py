# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras at a fixed rate on one node: what is sustained, what is dropped, how fairly.

Each camera is a process of its own, as on a robot; they begin together.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.bench.ros_machine import prepare_middleware, require_rclpy
from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.bench.stream import StreamProcess, write_drive

START_SECONDS = 180.0
"""For the node to start: the first time, kernels are compiled."""
WARM_UP_SECONDS = 3.0
DRIVE_FRAMES = 8
"""Played in a loop by each camera, which has them all in memory."""


@dataclass(frozen=True)
class LoadSettings:
    """What to measure.

    Attributes:
        cameras: how many.
        rate: of each, in Hz.
        size: (height, width) of their images.
        model: name of a shipped model, or a model file.
        engine: parameter `engine` of the node.
        seconds: how long, after a warm-up.
    """

    cameras: int
    rate: float
    size: tuple[int, int]
    model: str
    engine: str
    seconds: float


def run_ros_load(settings: LoadSettings, say: Callable[[str], None]) -> dict:
    """Measure.

    Args:
        say: called with a line on what is being done.

    Returns:
        A dict for JSON: 'machine', 'settings', 'engine' (what the node says it runs on), 'node'
        with its CPU time as percent of one core, 'cameras' (see `describe_camera`), and 'total':
        'asked_hz', 'sent_hz', 'masks_hz' and 'fairness', Jain's index of the cameras' rates of
        masks.

    Raises:
        InputError: ROS 2 is not installed, or a process does not start or ends.
    """
    require_rclpy()
    prepare_middleware()
    namespace = f'/mbu_load_{os.getpid()}'
    names = [f'camera{number}' for number in range(settings.cameras)]
    # What is dropped shall be dropped by the node, where it is counted, and not on the way.
    parameters = {
        'cameras': names,
        'model': settings.model,
        'engine': settings.engine,
        'reliability': 'reliable',
    }
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        say(f'rendering {DRIVE_FRAMES} frames')
        drive = folder / 'drive.npy'
        write_drive(drive, DRIVE_FRAMES, *settings.size)
        node = stack.enter_context(
            RosProcess('mbu_ros.node.segment_node', namespace, parameters, folder / 'node.log')
        )
        cameras = [
            stack.enter_context(
                StreamProcess(
                    drive,
                    settings.rate,
                    f'{namespace}/{name}',
                    f'{namespace.lstrip("/")}/segment',
                    name,
                    folder / f'{name}.log',
                )
            )
            for name in names
        ]
        for camera in cameras:
            camera.wait_until_ready(START_SECONDS, node.check)
        say(f'{settings.cameras} cameras at {settings.rate:g} Hz for {settings.seconds:g} s')
        for camera in cameras:
            camera.go()
        time.sleep(WARM_UP_SECONDS)
        node.check()
        before = [camera.tell() for camera in cameras]
        cpu, begin = node.cpu_seconds(), time.monotonic()
        time.sleep(settings.seconds)
        node.check()
        after = node.cpu_seconds()
        seconds = time.monotonic() - begin
        found = [camera.tell() for camera in cameras]
        say('waiting for the last masks')
        for camera in cameras:
            camera.stop()
        rests = [camera.finish() for camera in cameras]
    described = [
        describe_camera(name, *told) for name, *told in zip(names, before, found, rests)
    ]
    rates = [camera['masks_hz'] for camera in described]
    return {
        'machine': {
            'processor': platform.processor() or platform.machine(),
            'cores': os.cpu_count(),
            'fastdds_profile': os.environ.get('FASTDDS_DEFAULT_PROFILES_FILE', ''),
        },
        'settings': {
            'cameras': settings.cameras,
            'rate': settings.rate,
            'size': list(settings.size),
            'model': settings.model,
            'engine': settings.engine,
            'seconds': settings.seconds,
        },
        'engine': found[0]['node'].get('engine', {}).get('message', ''),
        'node': {
            'cpu_percent': None
            if cpu is None or after is None
            else 100 * (after - cpu) / seconds
        },
        'cameras': described,
        'total': {
            'asked_hz': settings.cameras * settings.rate,
            'sent_hz': sum(camera['sent_hz'] for camera in described),
            'masks_hz': sum(rates),
            'fairness': jain(rates),
        },
    }


def describe_camera(name: str, before: dict, found: dict, rest: dict) -> dict:
    """What became of one camera's frames.

    Args:
        name: of the camera.
        before, found, rest: what it told of the warm-up, of the time that is measured, and of what
            came after that.

    Returns:
        'name'; of the measured time 'seconds', 'sent_hz', 'masks_hz' and 'latency_ms', percentiles
        from published to the mask received; of the whole time 'sent', 'masks', and what the node
        says of the rest: 'received', 'superseded', 'dropped' for other reasons.
    """
    told = (before, found, rest)
    values = rest['node'].get('frames', {}).get('values', {})
    drops = {
        key[len('Frames dropped (') : -1]: int(value)
        for key, value in values.items()
        if key.startswith('Frames dropped (')
    }
    superseded = drops.pop('superseded', None)
    return {
        'name': name,
        'seconds': found['seconds'],
        'sent_hz': found['sent'] / found['seconds'],
        'masks_hz': found['answered'] / found['seconds'],
        'latency_ms': found['latency_ms'],
        'sent': sum(one['sent'] for one in told),
        'masks': sum(one['answered'] for one in told),
        'received': int(values['Frames received']) if values else None,
        'superseded': superseded,
        'dropped': {reason: count for reason, count in drops.items() if count},
    }


def jain(shares: Sequence[float]) -> float | None:
    """Jain's index of fairness: 1 where all get the same, 1/n where one gets all.

    None where nobody gets anything.
    """
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else None
