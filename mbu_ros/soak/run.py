# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs node and camera as two processes for as long as it is told, and judges what they took."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mbu_ros.bench.gpu import NvmlGpu, open_nvml
from mbu_ros.bench.ros_machine import prepare_middleware, require_rclpy
from mbu_ros.bench.ros_process import RosProcess
from mbu_ros.bench.stream import StreamProcess, write_drive
from mbu_ros.errors import InputError
from mbu_ros.soak.faults import frame_faults, growth_faults
from mbu_ros.soak.judgement import judge, warm_up
from mbu_ros.soak.process_sample import GpuMemory, sample_process
from mbu_ros.soak.quantities import quantities
from mbu_ros.soak.samples import SampleFile

START_SECONDS = 180.0
"""For the node to start: the first time, kernels are compiled."""
SHORTEST_SECONDS = 60.0
INTERVAL_SHARE, LONGEST_INTERVAL = 1 / 120, 10.0
"""From one sample to the next: a share of the whole, and the most in seconds."""


@dataclass(frozen=True)
class SoakSettings:
    """What to run.

    Attributes:
        seconds: how long.
        model: name of a shipped model, or a model file.
        engine: parameter `engine` of the node.
        size: (height, width) of the images.
        rate: of the camera, in Hz; 0: each frame when the mask of the one before is there.
        frames: of the drive that is played in a loop.
        out: folder for samples and logs.
    """

    seconds: float
    model: str
    engine: str
    size: tuple[int, int]
    rate: float
    frames: int
    out: Path


def run_soak(settings: SoakSettings, say: Callable[[str], None]) -> dict:
    """Play frames to the node for as long as asked for; writes samples.csv and logs meanwhile.

    Args:
        say: called with a line now and then.

    Returns:
        A dict for JSON: 'settings', 'engine', 'gpu_memory' (whose is measured), 'samples' (see
        `samples.COLUMNS`), 'frames' (what became of them), 'warm_up' in seconds, 'verdicts' by
        quantity, and 'faults', one sentence each: it passed where there is none.

    Raises:
        InputError: ROS 2 is missing, or what was asked for cannot be run.
    """
    require_rclpy()
    prepare_middleware()
    namespace = f'/mbu_soak_{os.getpid()}'
    parameters = {'model': settings.model, 'engine': settings.engine, 'reliability': 'reliable'}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = stack.enter_context(SampleFile(settings.out / 'samples.csv'))
        say(f'rendering {settings.frames} frames')
        write_drive(folder / 'drive.npy', settings.frames, *settings.size)
        log = settings.out / 'node.log'
        node = stack.enter_context(
            RosProcess('mbu_ros.node.segment_node', namespace, parameters, log)
        )
        camera = stack.enter_context(
            StreamProcess(
                folder / 'drive.npy',
                settings.rate,
                namespace,
                f'{namespace.lstrip("/")}/segment',
                '',
                settings.out / 'camera.log',
            )
        )
        camera.wait_until_ready(START_SECONDS, node.check)
        gpu, _ = stack.enter_context(open_nvml())
        watch = _Watch(settings, node, camera, gpu, file, say)
        fault = watch.run()
    return _result(settings, watch, [fault] if fault else [])


class _Watch:
    """What is known of a run while it goes on.

    Attributes:
        samples, frames, state: lines of the CSV; frames by what became of them; what the node said
            of itself last.
        complaints: messages of its diagnostics that must not come, the first of each kind.
    """

    def __init__(
        self,
        settings: SoakSettings,
        node: RosProcess,
        camera: StreamProcess,
        gpu: NvmlGpu | None,
        file: SampleFile,
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._node, self._camera = settings, node, camera
        self._gpu, self._file, self._say = gpu, file, say
        self.samples: list[dict[str, float | None]] = []
        self.frames = dict.fromkeys(('sent', 'answered', 'lost'), 0)
        self.state: dict = {}
        self.complaints: dict[str, str] = {}
        self.gpu_memory: GpuMemory | None = None

    def run(self) -> str:
        """Take samples until the time is over; why that ended before, '' if it did not.

        Stopped by a signal, it says so; the camera, which may have got it too, is asked nothing.
        """
        interval = min(LONGEST_INTERVAL, self._settings.seconds * INTERVAL_SHARE)
        self._camera.go()
        begin = time.monotonic()
        spoken = begin
        try:
            while (left := begin + self._settings.seconds - time.monotonic()) > 0:
                time.sleep(min(interval, left))
                self._node.check()
                self._sample(time.monotonic() - begin)
                if time.monotonic() > spoken + 60:
                    spoken = time.monotonic()
                    self._say(_line(self.samples[-1]))
            self._count(self._camera.finish())
        except InputError as error:
            return str(error)
        except KeyboardInterrupt:  # hours of samples are worth a judgement all the same
            minutes = (time.monotonic() - begin) / 60
            return f'it was stopped after {minutes:.1f} of {self._settings.seconds / 60:.1f} min'
        return ''

    def _sample(self, seconds: float) -> None:
        told = self._camera.tell()
        self._count(told)
        values = self.state.get('engine', {}).get('values', {})
        if self.gpu_memory is None and values.get('Engine') == 'cuda':
            self.gpu_memory = GpuMemory(self._gpu, self._node.pid)
        sample = {
            'seconds': seconds,
            **sample_process(self._node.pid),
            'gpu_mb': self.gpu_memory and self.gpu_memory.megabytes(values),
            'hz': told['answered'] / told['seconds'],
            **{f'{name}_ms': told['latency_ms'][name] for name in ('p50', 'p95', 'p99')},
            **{key: told[key] for key in ('sent', 'answered', 'lost')},
        }
        self.samples.append(sample)
        self._file.add(sample)

    def _count(self, told: dict) -> None:
        for key in self.frames:
            self.frames[key] += told[key]
        self.state = told['node']
        self.complaints = told['complaints'] | self.complaints


def _result(settings: SoakSettings, watch: _Watch, faults: list[str]) -> dict:
    samples = watch.samples
    seconds = samples[-1]['seconds'] if samples else 0.0
    begin = warm_up(seconds)
    times = [sample['seconds'] for sample in samples]
    verdicts = {
        quantity.key: judge(quantity, times, [sample[quantity.key] for sample in samples], begin)
        for quantity in quantities(settings.size, settings.rate)
    }
    verdicts = {key: verdict for key, verdict in verdicts.items() if verdict is not None}
    faults = faults + [
        f'the diagnostics said {what}: {text}' for what, text in watch.complaints.items()
    ]
    faults += growth_faults(verdicts)
    node = watch.state.get('frames', {}).get('values', {})
    faults += frame_faults(watch.frames, node)
    if not node:  # so that what it dropped is not known
        faults.append('the diagnostics of the node did not come')
    return {
        'settings': {
            **asdict(settings),
            'size': list(settings.size),
            'out': str(settings.out),
        },
        'engine': watch.state.get('engine', {}).get('message', ''),
        'gpu_memory': watch.gpu_memory.source if watch.gpu_memory else '',
        'frames': watch.frames,
        'node': node,
        'warm_up': begin,
        'verdicts': {key: asdict(verdict) for key, verdict in verdicts.items()},
        'faults': faults,
        'samples': samples,
    }


def _line(sample: Mapping[str, float | None]) -> str:
    gpu = '' if sample['gpu_mb'] is None else f', GPU {sample["gpu_mb"]:.0f} MB'
    p99 = '' if sample['p99_ms'] is None else f', p99 {sample["p99_ms"]:.1f} ms'
    return (
        f'{sample["hz"]:.1f} Hz{p99}, memory {sample["rss_mb"]:.0f} MB{gpu}, '
        f'{sample["threads"]} threads, {sample["handles"]} handles'
    )
