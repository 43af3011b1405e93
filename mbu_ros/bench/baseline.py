# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures an FP16 U-Net: a CUDA graph of eager PyTorch, or of what torch.compile makes of it.

Both are captured into one graph each by hand. For the compiled network that is at least as good as
torch.compile's own use of graphs, which adds copies and checks in Python.
"""

from __future__ import annotations

import contextlib
import gc
import io
import time
from collections.abc import Callable

import numpy as np
import torch

from mbu_ros.bench.energy import Meter, MeterError, measure_energy
from mbu_ros.bench.timing import RUNS, summary, timed_runs, wall_milliseconds
from mbu_ros.bench.unet_fp16 import FoldedUNet

GRAPH, COMPILE = 'graph', 'compile'
TITLES = {
    GRAPH: 'FP16 U-Net, CUDA graph of channels_last eager',
    COMPILE: 'FP16 U-Net, torch.compile max-autotune, CUDA graph',
}


def measure_baseline(
    kind: str,
    network: FoldedUNet,
    batches: list[np.ndarray],
    meter: Meter | None,
    *,
    seconds: float,
    runs: int = RUNS,
) -> dict:
    """Times, energy and memory of one baseline.

    Args:
        kind: `GRAPH` or `COMPILE`.
        network: on the GPU.
        batches: inputs, uint8 [N, H, W, 3].
        meter: what counts energy, if anything does.
        seconds: length of the energy measurement.
        runs: number of timed runs.

    Returns:
        By key:
        title            in words
        device_ms        of a batch on the device, without copies, as `timing.summary` gives it
        wall_ms          of a batch with copies from and to pinned memory, until it is there
        energy           of a frame, without copies: `energy.Energy` as a dict, or None
        energy_missing   why there is none; only there if the meter failed
        memory           bytes: 'parameters', and 'activations': the most that is allocated beyond
                         parameters and input at any time, workspaces included
        compile_seconds  what torch.compile took; None for the other
    """
    torch.backends.cudnn.benchmark = True
    try:
        with torch.inference_mode():
            return _measure(kind, network, batches, meter, seconds, runs)
    finally:
        torch.compiler.reset()
        gc.collect()
        torch.cuda.empty_cache()


def _measure(
    kind: str,
    network: FoldedUNet,
    batches: list[np.ndarray],
    meter: Meter | None,
    seconds: float,
    runs: int,
) -> dict:
    forward, compile_seconds = network, None
    frames = torch.from_numpy(batches[0]).cuda()
    if kind == COMPILE:
        forward = torch.compile(
            network, mode='max-autotune-no-cudagraphs', dynamic=False, fullgraph=True
        )
        start = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):  # tables of what was tried
            forward(frames)
            torch.cuda.synchronize()
        compile_seconds = time.perf_counter() - start
    runner = GraphRunner(forward, batches)
    parameters = sum(p.numel() * p.element_size() for p in network.parameters())
    result = {
        'title': TITLES[kind],
        'device_ms': summary(timed_runs(runner.device_milliseconds, runner.fill, runs=runs)),
        'wall_ms': summary(wall_milliseconds(runner.run, runner.fill, runs=runs)),
        'energy': None,
        'memory': {'parameters': parameters, 'activations': runner.activation_bytes},
        'compile_seconds': compile_seconds,
    }
    if meter is not None:
        try:
            result['energy'] = measure_energy(
                meter,
                runner.enqueue_compute,
                torch.cuda.synchronize,
                frames=len(batches[0]),
                seconds=seconds,
            ).as_dict()
        except MeterError as error:
            result['energy_missing'] = str(error)
    return result


class GraphRunner:
    """A forward pass as CUDA graphs: alone, and with copies from and to pinned host memory.

    Args:
        forward: uint8 [N, H, W, 3] on the GPU to uint8 [N, H, W].
        batches: inputs that are taken in turn.
    """

    def __init__(
        self, forward: Callable[[torch.Tensor], torch.Tensor], batches: list[np.ndarray]
    ) -> None:
        self._inputs = [torch.from_numpy(batch) for batch in batches]
        self._frames = self._inputs[0].cuda()
        self._host_frames = torch.empty(
            self._frames.shape, dtype=torch.uint8, device='cpu', pin_memory=True
        )
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # cuDNN's search is in the first
                labels = forward(self._frames)
            del labels
            stream.synchronize()
            self.activation_bytes = self._peak(forward)
        self._host_labels = torch.empty(
            self._frames.shape[:3], dtype=torch.uint8, device='cpu', pin_memory=True
        )
        torch.cuda.synchronize()
        self._compute, self._whole = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._compute):
            self._labels = forward(self._frames)
        with torch.cuda.graph(self._whole, pool=self._compute.pool()):
            self._frames.copy_(self._host_frames, non_blocking=True)
            self._host_labels.copy_(forward(self._frames), non_blocking=True)

    def _peak(self, forward: Callable[[torch.Tensor], torch.Tensor]) -> int:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        forward(self._frames)
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def fill(self, index: int) -> None:
        """Put the input of this run into pinned memory."""
        self._host_frames.copy_(self._inputs[index % len(self._inputs)])

    def run(self) -> None:
        """One batch from pinned memory to pinned memory; returns when it is there."""
        self._whole.replay()
        torch.cuda.current_stream().synchronize()

    def enqueue_compute(self) -> None:
        """Start one batch that lies on the GPU already."""
        self._compute.replay()

    def device_milliseconds(self) -> float:
        """Time on the GPU of one batch, without copies, of the input filled last.

        As `Session.device_milliseconds` of the engine: one that is not timed uploads the input and
        keeps the GPU busy meanwhile, so that the launch is not part of the time.
        """
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        self._whole.replay()
        start.record()
        self._compute.replay()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)
