# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures the node through ROS, between two processes, beside a node that only echoes.

This process is the camera. It stamps and sends each image and receives its mask, so that both ends
of the time are read from one clock.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbu_ros.bench.ros_frames import random_frame
from mbu_ros.bench.ros_machine import middleware
from mbu_ros.bench.ros_partner import await_partner, engine_of, prepare_ros, start_rate
from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.bench.ros_search import MOST_TRIES, Attempt, search_rate
from mbu_ros.evaluation.latency import percentiles
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

if TYPE_CHECKING:
    from mbu_ros.bench.ros_camera_node import CameraSender
    from mbu_ros.bench.ros_exchange import Exchange

WARM_UP = 10


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
    sender_type = prepare_ros()
    namespace = f'/mbu_bench_{os.getpid()}'
    result: dict = {
        'machine': {
            'processor': platform.processor() or platform.machine(),
            'cores': os.cpu_count(),
            'middleware': middleware(),
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
    camera = sender_type(namespace)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for height, width in settings.sizes:
                camera.load({'': [random_frame(height, width)]})
                run: dict = {'size': [height, width]}
                result['runs'].append(run)
                for name in ('echo', 'node'):
                    say(f'{width}x{height}: {name}')
                    process = _start(name, settings, (height, width), namespace, Path(folder))
                    with process:
                        await_partner(camera, process)
                        run[name] = measure(camera, process, settings.frames, settings.seconds)
                        if name == 'node':
                            run['engine'] = engine_of(process.output)
                    camera.wait_for_no_partner()
                    save(result)
    finally:
        camera.close()
    return result


def measure(camera: CameraSender, process: RosProcess, frames: int, seconds: float) -> dict:
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
    exchange = camera.one_by_one(frames, timing=True)['']
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
    camera: CameraSender, process: RosProcess, seconds: float, first: Exchange
) -> dict:
    """Raise the rate until frames are dropped, and close in on where that begins.

    Returns:
        'hz' reached without drops (None: none was); 'limited_by_camera' where frames could not be
        sent faster; 'latency_ms', percentiles end to end meanwhile; 'cpu_percent' of one core, and
        'cpu_ms' a frame, of the node; 'tries', each rate with the frames sent and lost.
    """
    held: dict[float, dict] = {}

    def attempt(rate: float) -> Attempt:
        before = process.cpu_seconds()
        exchange = camera.at_rate(rate, seconds)['']
        after = process.cpu_seconds()
        process.check()
        if not exchange.lost:
            held[rate] = {
                'latency_ms': percentiles(exchange.latencies.values()),
                **_cpu(before, after, len(exchange.sent), exchange.seconds),
            }
        return Attempt(rate, exchange.rate, len(exchange.sent), exchange.lost)

    found = search_rate(attempt, start_rate(first), most_tries=MOST_TRIES)
    return {
        'hz': found.best.hz if found.best else None,
        'limited_by_camera': found.limited_by_camera,
        **(held[found.best.asked] if found.best else {}),
        'tries': [one._asdict() for one in found.attempts],
    }


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
        save_model(random_model(**settings.shape, input_size=size, lowest=0), path)
        model = str(path)
    parameters = {'model': model, 'engine': settings.engine, 'reliability': 'reliable'}
    return RosProcess('mbu_ros.node.segment_node', namespace, parameters, log)
