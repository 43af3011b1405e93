# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What frames of certain formats need on a GPU, from their bytes to their masks; made without one.

See `launch` for what a plan consists of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbu_ros.engine.base import STAGES
from mbu_ros.engine.cuda.frame_format import FrameFormat
from mbu_ros.engine.cuda.frame_plan import frame_constants, input_launches, mask_launches
from mbu_ros.engine.cuda.launch import Constant, DeviceLimits, Launch
from mbu_ros.engine.cuda.network_plan import network_plan
from mbu_ros.model.deployed import Model


@dataclass(frozen=True)
class SessionPlan:
    """Launches of a batch, and all that they name.

    Attributes:
        stages: launches in order, by stage of `STAGES`.
        parameters: names of the model's parameters that they read.
        tables: arrays that they read besides, by name.
        activations: bytes of each buffer that is needed while a batch runs.
        frames: bytes of each buffer that comes from the CPU.
        masks: bytes of each buffer that goes back to it.
    """

    stages: dict[str, list[Launch]]
    parameters: frozenset[str]
    tables: dict[str, np.ndarray]
    activations: dict[str, int]
    frames: dict[str, int]
    masks: dict[str, int]

    @property
    def launches(self) -> list[Launch]:
        """Every launch, in order."""
        return [launch for stage in STAGES for launch in self.stages[stage]]


def session_plan(
    model: Model,
    formats: Sequence[FrameFormat],
    confidence: bool,
    limits: DeviceLimits,
    instruction: str | None = None,
) -> SessionPlan:
    """Plan a batch of frames of these formats.

    Args:
        confidence: whether scores are wanted with the masks.
        instruction: as for `network_plan`.

    Raises:
        EngineUnavailable: the device cannot run the model.
    """
    network = network_plan(model, len(formats), confidence, limits, instruction)
    resize, mask = [], []
    tables: dict[str, np.ndarray] = {}
    frames: dict[str, int] = {}
    masks: dict[str, int] = {}
    for index, form in enumerate(formats):
        resize += input_launches(model, form, index)
        mask += mask_launches(model, form, index, confidence)
        tables |= frame_constants(model, form)
        frames[f'frame{index}'] = form.bytes
        masks[f'mask{index}'] = form.height * form.width
        if confidence:
            masks[f'scores{index}'] = 4 * form.height * form.width
    return SessionPlan(
        stages={'resize': resize, 'network': network.launches, 'mask': mask},
        parameters=frozenset(
            argument.name
            for launch in network.launches
            for argument in launch.arguments
            if isinstance(argument, Constant)
        ),
        tables=tables,
        activations=network.buffers,
        frames=frames,
        masks=masks,
    )
