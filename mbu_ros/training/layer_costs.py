# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a second plane costs each layer: time on this GPU, or operations where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from statistics import median

from mbu_ros.bench.inputs import random_batches
from mbu_ros.bench.mbu_engine import LAYER_RUNS
from mbu_ros.bench.timing import RUNS, timed_runs
from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.engine.cuda import CudaEngine
from mbu_ros.engine.cuda.frame_format import FrameFormat
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import layer_shapes
from mbu_ros.network.masking import layer_operations, make_plan

ROUNDS = 5
"""Times that each layer is timed; the median counts."""
LEAST_SHARE = 0.01
"""A second plane costs at least this share of the first: timing tells no smaller ones apart."""


@dataclass(frozen=True)
class Costs:
    """Cost of each binary layer's second plane.

    Attributes:
        unit: 'milliseconds' or 'operations', of one frame.
        reason: where the figures are from, for people: the GPU, or why none was measured.
        second: by layer, above 0, in that unit.
        one_plane, two_planes: milliseconds of each layer alone; None where not measured.
    """

    unit: str
    reason: str
    second: Mapping[str, float]
    one_plane: Mapping[str, float] | None = None
    two_planes: Mapping[str, float] | None = None

    @property
    def measured(self) -> bool:
        """Whether they are times on a GPU."""
        return self.one_plane is not None


@dataclass(frozen=True)
class GpuTimer:
    """Times networks of one shape, whose parameters are random, on this machine's first GPU.

    Attributes:
        width, depth, classes: of the network.
        size: (height, width) of a frame and of the network's input, in pixels.
    """

    width: int
    depth: int
    classes: int
    size: tuple[int, int]

    def layers(self, planes: int) -> tuple[dict[str, float], str]:
        """Milliseconds of each binary layer's kernel alone, one frame, and the GPU's name.

        Raises:
            EngineUnavailable: there is no GPU here that can run it.
            EngineError: the GPU failed, or has too little memory left.
        """
        shapes = layer_shapes(self.width, self.depth, self.classes)
        plan = dict.fromkeys(make_plan(shapes), planes)
        with closing(self._engine(plan)) as engine:
            session = engine.session(self._formats())
            session.fill(0, random_batches(1, self.size)[0][0])
            rounds: list[dict[str, float]] = []
            for _ in range(ROUNDS):
                times = dict.fromkeys(plan, 0.0)
                for launch, milliseconds in session.launch_milliseconds(LAYER_RUNS):
                    # The head runs in the kernel of the layer before it, called 'LAYER+head'.
                    for name in times.keys() & launch.layer.split('+'):
                        times[name] += milliseconds
                rounds.append(times)
            return {name: median(times[name] for times in rounds) for name in plan}, engine.device

    def network(self, plan: Mapping[str, int]) -> float:
        """Milliseconds of one frame on the device, median, without copies; errors as `layers`."""
        batches = random_batches(1, self.size)
        with closing(self._engine(dict(plan))) as engine:
            session = engine.session(self._formats())
            times = timed_runs(
                lambda: session.device_milliseconds(1)[0],
                lambda index: session.fill(0, batches[index % len(batches)][0]),
                runs=RUNS,
            )
        return median(times)

    def _engine(self, plan: dict[str, int]) -> CudaEngine:
        return CudaEngine(
            random_model(
                width=self.width,
                depth=self.depth,
                classes=self.classes,
                input_size=self.size,
                plan=plan,
            )
        )

    def _formats(self) -> tuple[FrameFormat]:
        height, width = self.size
        return (FrameFormat('rgb8', height, width, 3 * width),)


def measure_costs(timer: GpuTimer) -> Costs:
    """Cost of each layer's second plane: measured where the CUDA engine runs, else operations.

    A layer's cost is what its kernel takes longer with two planes than with one, each timed alone
    with the others as they are in the all-masked and in the all-binary network.
    """
    try:
        one, device = timer.layers(1)
        two, _ = timer.layers(2)
    except (EngineUnavailable, EngineError) as error:
        shapes = layer_shapes(timer.width, timer.depth, timer.classes)
        return Costs(
            'operations',
            f'operations, since no time could be measured: {error}',
            layer_operations(shapes, timer.size),
        )
    second = {name: max(two[name] - one[name], LEAST_SHARE * one[name]) for name in one}
    return Costs('milliseconds', f'measured on {device}', second, one, two)
