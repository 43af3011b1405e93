# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate --find-peak`: the highest rate that a node keeps up with, and what it costs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mbu_ros.bags.playback import check_rate
from mbu_ros.bench.ros_machine import middleware
from mbu_ros.bench.ros_partner import await_partner, engine_of, prepare_ros, start_rate
from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.errors import InputError
from mbu_ros.evaluation.peak.measure import Measurement
from mbu_ros.evaluation.peak.preload import Preloaded
from mbu_ros.evaluation.peak.resources import Machine, open_machine
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model

RATES = (10.0, 30.0, 60.0)
MAX_DROP = 0.01
SECONDS = 5.0
WARM_UP, WARM_UP_SECONDS = 10, 5.0
"""Frames sent one by one first, as many as go into this time."""


def find_peak(
    cameras: Sequence[Preloaded],
    model: str,
    engine: str = 'auto',
    *,
    rates: Sequence[float] = RATES,
    max_drop: float = MAX_DROP,
    seconds: float = SECONDS,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Run the node in a process of its own and send it images at rates, higher and higher.

    Several cameras send at the same rate, each; rates are those of one camera, counts and figures
    those of all.

    Args:
        cameras: what they send, from `preload.preload_bag` or `preload.preload_samples`.
        model: a shipped model's name or a file.
        engine: as the node's parameter.
        rates: Hz, at which to measure beside the peak.
        max_drop: share of frames that may be dropped.
        seconds: length of each try and each measurement; longer where that were few frames.
        say: called with a line on what is being done.

    Returns:
        A dict for JSON; None stands for what the machine does not tell:
        max_drop, seconds  as given
        engine             what the node says that it runs on
        middleware         variables set for the middleware, by name
        cameras            {source, frames_preloaded, megabytes, complete, unusable} of each; see
                           `preload.Preloaded`
        frames_preloaded   of all cameras
        peak_hz            reached with at most max_drop dropped; None: no such rate was found
        limited_by_player  whether images could not be sent faster, so that the node may do more
        runs               measurements, at `rates` and, as the last, at the peak if there is one:
                           {is_peak, asked_hz, rate_hz (of images really sent), sent, received,
                           dropped, drop_share, answered_hz (of masks), latency_ms (see
                           `latency.latency_summary`; from before an image is published until its
                           mask is here), cpu_percent, memory_mb, gpu_percent, gpu_memory_mb,
                           watts, joules_per_frame, energy_source (see
                           `resources.ResourceMonitor.usage`)}
        tries              the search, in order: {hz, sent, dropped}
        notes              for people: what was left out, and why something is not known

    Raises:
        InputError: ROS 2 is not installed, a rate or the model cannot be used, or the node does not
            start, ends, or answers no image; the text has the end of its log.
    """
    if not cameras:
        raise InputError('no camera, so there is nothing to send')
    for rate in rates:
        check_rate(rate)
    path = find_model(model)
    load_model(path)  # a bad one is said before the work
    sender_type = prepare_ros()
    namespace = f'/mbu_peak_{os.getpid()}'
    names = [''] if len(cameras) == 1 else [f'camera_{index}' for index in range(len(cameras))]
    by_name = dict(zip(names, cameras))
    compressed = [name for name, camera in by_name.items() if camera.compressed]
    parameters = _parameters(str(path), engine, names, compressed)
    with tempfile.TemporaryDirectory() as folder, open_machine() as machine:
        sender = sender_type(namespace, names, compressed=compressed)
        try:
            sender.load({name: camera.messages for name, camera in by_name.items()})
            log = Path(folder) / 'node.log'
            with RosProcess('mbu_ros.node.segment_node', namespace, parameters, log) as process:
                say('starting the node')
                await_partner(sender, process)
                warm_up = sender.one_by_one(WARM_UP, timing=False, seconds=WARM_UP_SECONDS)
                measurement = Measurement(
                    sender, process, machine, max_drop=max_drop, seconds=seconds, say=say
                )
                runs = [{'is_peak': False, **measurement.run(rate)} for rate in rates]
                say('searching for the peak')
                start = min(start_rate(exchange) for exchange in warm_up.values())
                peak, limited, tries = measurement.find(start, runs)
                engine_found = engine_of(process.output)
        finally:
            sender.close()
    if peak is not None:
        runs.append({'is_peak': True, **peak})
    return {
        'max_drop': max_drop,
        'seconds': seconds,
        'engine': engine_found,
        'middleware': middleware(),
        'cameras': [_describe(camera) for camera in cameras],
        'frames_preloaded': sum(len(camera.messages) for camera in cameras),
        'peak_hz': peak and peak['rate_hz'],
        'limited_by_player': limited,
        'runs': runs,
        'tries': tries,
        'notes': _notes(cameras, machine),
    }


def _parameters(
    model: str, engine: str, names: Sequence[str], compressed: Sequence[str]
) -> dict[str, object]:
    # Nothing may get lost on the way, so that what is dropped was dropped by the node.
    parameters: dict[str, object] = {'model': model, 'engine': engine, 'reliability': 'reliable'}
    if any(names):
        parameters['cameras'] = list(names)
    for name in compressed:
        parameters[f'{name}.transport' if name else 'transport'] = 'compressed'
    return parameters


def _describe(camera: Preloaded) -> dict[str, Any]:
    return {
        'source': camera.source,
        'frames_preloaded': len(camera.messages),
        'megabytes': camera.megabytes,
        'complete': camera.complete,
        'unusable': camera.unusable,
    }


def _notes(cameras: Sequence[Preloaded], machine: Machine) -> list[str]:
    notes = []
    for camera in cameras:
        if not camera.complete:
            notes.append(
                f'{camera.source}: the first {len(camera.messages)} images were sent over and '
                f'over ({camera.megabytes:.0f} MB)'
            )
        if camera.unusable:
            notes.append(f'{camera.source}: {camera.unusable} images cannot be used, left out')
    return notes + list(machine.notes)
