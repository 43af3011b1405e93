# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures the node through ROS, between two processes, beside a node that only echoes.

This process is the camera. It stamps and sends each image and receives its mask, so that both ends
of the time are read from one clock.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.errors import InputError
from mbu_ros.evaluation.latency import percentiles
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

if TYPE_CHECKING:
    from mbu_ros.bench.ros_camera_node import BenchCamera, Exchange

START_SECONDS = 120.0
"""For a node to start: the first time, kernels are compiled."""
WARM_UP = 10
MIDDLEWARE = (
    'RMW_IMPLEMENTATION',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'FASTDDS_BUILTIN_TRANSPORTS',
    'CYCLONEDDS_URI',
    'ZENOH_SESSION_CONFIG_URI',
)
"""Variables of the environment that say how messages travel."""
FIRST_STEP, FINE_STEP = 1.5, 1.08
"""Rates are raised by the first until frames are dropped; then halved in until they are as near."""
MOST_TRIES = 12
KEPT_UP = 0.95
"""Share of a rate below which the camera itself did not keep up."""


@dataclass(frozen=True)
class RosSettings:
    """What to measure.

    Attributes:
        sizes: (height, width) of images.
        model: name or path of the model; None for a random one of `shape` at each size.
        shape: width, depth, classes and plan of that.
        engine: parameter `engine` of the node.
        frames: sent one by one, for latencies.
        seconds: length of each try at a rate.
    """

    sizes: tuple[tuple[int, int], ...]
    model: str | None
    shape: Mapping[str, Any]
    engine: str
    frames: int
    seconds: float


def run_ros_benchmark(
    settings: RosSettings, say: Callable[[str], None], save: Callable[[dict], None]
) -> dict:
    """Measure all sizes, the echo node first.

    Args:
        say: called with a line on what is being measured.
        save: called with what there is of the result after each measurement.

    Returns:
        A dict for JSON: 'machine', 'settings', and 'runs', each with 'size', 'engine' (what the
        node says it runs on) and, under 'echo' and 'node', what `measure` gives.

    Raises:
        InputError: ROS 2 is not installed, or a node does not start.
    """
    if importlib.util.find_spec('rclpy') is None:
        raise InputError(
            "rclpy is not installed: pip install '.[ros]' in this package's source folder, or "
            'source a ROS 2 installation first'
        )
    # Before DDS starts. What is measured is this machine, and no other shall hear it.
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    from mbu_ros.bench.ros_camera_node import BenchCamera

    namespace = f'/mbu_bench_{os.getpid()}'
    result: dict = {
        'machine': {
            'processor': platform.processor() or platform.machine(),
            'cores': os.cpu_count(),
            # What was set for the middleware, which decides more than anything here.
            'middleware': {name: os.environ[name] for name in MIDDLEWARE if name in os.environ},
        },
        'settings': {
            'model': settings.model,
            'shape': None if settings.model else dict(settings.shape),
            'engine': settings.engine,
            'frames': settings.frames,
            'seconds': settings.seconds,
        },
        'runs': [],
    }
    camera = BenchCamera(namespace)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for height, width in settings.sizes:
                camera.set_size(height, width)
                run: dict = {'size': [height, width]}
                result['runs'].append(run)
                for name in ('echo', 'node'):
                    say(f'{width}x{height}: {name}')
                    process = _start(name, settings, (height, width), namespace, Path(folder))
                    with process:
                        if not camera.wait_for_partner(START_SECONDS, process.check):
                            raise InputError(
                                f'the {name} did not start in {START_SECONDS:.0f} s; it wrote:\n'
                                f'{process.output}'
                            )
                        run[name] = measure(camera, process, settings.frames, settings.seconds)
                        if name == 'node':
                            run['engine'] = _engine(process.output)
                    camera.wait_for_no_partner()
                    save(result)
    finally:
        camera.close()
    return result


def measure(camera: BenchCamera, process: RosProcess, frames: int, seconds: float) -> dict:
    """Measure one node that waits for images.

    Returns:
        By key:
        latency_ms   percentiles of frames sent one by one: 'end to end' from before a frame is
                     published until its mask is there, 'back' the part of it from the mask's
                     publication on, 'beyond engine' that from received to published without the
                     engine's call, and what the node tells of itself (see `node.timing.TIMES`)
        frames, lost how many were sent, and how many came to nothing
        rate         the highest at which none was dropped: see `highest_rate`
    """
    camera.one_by_one(WARM_UP, timing=False)
    exchange = camera.one_by_one(frames, timing=True)
    return {
        'latency_ms': {name: percentiles(times) for name, times in stages(exchange).items()},
        'frames': len(exchange.sent),
        'lost': exchange.lost,
        'rate': highest_rate(camera, process, seconds, exchange),
    }


def stages(exchange: Exchange) -> dict[str, list[float]]:
    """Times by name, of the frames of which all is known."""
    found: dict[str, list[float]] = {}
    for stamp, latency in exchange.latencies.items():
        times = dict(exchange.times.get(stamp, {}))
        if not times:
            continue
        if 'engine' in times:
            times['beyond engine'] = times['total'] - times['engine']
        times['back'] = latency - times.get('received', 0.0) - times['total']
        times['end to end'] = latency
        for name, value in times.items():
            found.setdefault(name, []).append(value)
    return found


def highest_rate(
    camera: BenchCamera, process: RosProcess, seconds: float, first: Exchange
) -> dict:
    """Raise the rate until frames are dropped, and close in on where that begins.

    Returns:
        'hz' reached without drops (None: none was); 'limited_by_camera' where frames could not be
        sent faster; 'latency_ms', percentiles end to end meanwhile; 'cpu_percent' of one core, and
        'cpu_ms' a frame, of the node; 'tries', each rate with the frames sent and lost.
    """
    known = sorted(first.latencies.values())
    rate = 1e3 / known[len(known) // 2] if known else 1.0
    low, high = None, None
    best: dict = {'hz': None, 'limited_by_camera': False}
    tries = []
    while len(tries) < MOST_TRIES:
        before = process.cpu_seconds()
        exchange = camera.at_rate(rate, seconds)
        after = process.cpu_seconds()
        process.check()
        sent, lost = len(exchange.sent), exchange.lost
        achieved = (sent - 1) / exchange.seconds
        tries.append({'hz': achieved, 'sent': sent, 'lost': lost})
        if lost:
            high = rate
        else:
            low = rate
            best = {
                'hz': achieved,
                'limited_by_camera': achieved < KEPT_UP * rate,
                'latency_ms': percentiles(exchange.latencies.values()),
                **_cpu(before, after, sent, exchange.seconds),
            }
            if best['limited_by_camera']:
                break
        if low and high and high / low < FINE_STEP:
            break
        rate = (low * high) ** 0.5 if low and high else low * FIRST_STEP if low else high / 2
    return {**best, 'tries': tries}


def _cpu(before: float | None, after: float | None, frames: int, seconds: float) -> dict:
    if before is None or after is None:
        return {'cpu_percent': None, 'cpu_ms': None}
    used = after - before
    # All frames were answered by the time it was read, shortly after the last was sent.
    period = seconds * frames / (frames - 1)
    return {'cpu_percent': 100 * used / period, 'cpu_ms': 1e3 * used / frames}


def _start(
    name: str, settings: RosSettings, size: tuple[int, int], namespace: str, folder: Path
) -> RosProcess:
    log = folder / f'{name}.log'
    if name == 'echo':
        return RosProcess('mbu_ros.bench.ros_echo_node', namespace, {}, log)
    model = settings.model
    if model is None:
        path = folder / 'model.safetensors'
        save_model(random_model(**settings.shape, input_size=size), path)
        model = str(path)
    parameters = {'model': model, 'engine': settings.engine, 'reliability': 'reliable'}
    return RosProcess('mbu_ros.node.segment_node', namespace, parameters, log)


def _engine(output: str) -> str:
    """What the node logged of its engine."""
    for line in output.splitlines():
        if 'Engine: ' in line:
            return line.partition('Engine: ')[2]
    return ''
