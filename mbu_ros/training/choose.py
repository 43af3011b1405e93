# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The plan of the network `chosen`: layers taken by gain per cost, as far as the budget goes."""

from __future__ import annotations

from typing import Any

from torch import nn

from mbu_ros.network.masking import budget_share, greedy_plan, layer_operations
from mbu_ros.network.unet import UNet
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.fixed_frames import FixedFrames
from mbu_ros.training.layer_costs import GpuTimer, measure_costs
from mbu_ros.training.sensitivity import measure_gains
from mbu_ros.training.settings import Settings
from mbu_ros.training.study_settings import ADAPT_RATE, StudySettings


def choose(
    masked: UNet, teacher: nn.Module, data: TrainingData, settings: Settings
) -> dict[str, Any]:
    """Choose which layers of a masked network keep their second plane.

    What a layer gains is measured on training frames, what it costs on the GPU where the CUDA
    engine runs there.

    Args:
        masked: trained with two planes everywhere; stays as it is.
        teacher: the float network, or networks, it learnt from, on the same device.
        data: what both learnt.
        settings: of the run.

    Returns:
        'plan', planes per binary layer; 'gains' and 'costs' by layer; the 'unit' of costs.
    """
    size = data.train.images.shape[1:3]
    study = StudySettings(budget=settings.budget, seed=settings.seed)
    frames = FixedFrames(
        data,
        teacher,
        frames=study.frames,
        batch=settings.recipe.batch,
        class_weighting=settings.recipe.class_weighting,
        device=next(masked.parameters()).device,
        seed=study.seed,
    )
    adapt = frames.adapt(study.adapt_steps, ADAPT_RATE * settings.recipe.learning_rate)
    gains = measure_gains(masked, masked.plan, frames.loss, adapt)
    costs = measure_costs(GpuTimer(masked.width, masked.depth, masked.classes, size))
    plan = greedy_plan(
        gains,
        costs.second,
        budget_share(masked.shapes, size, settings.budget),
        sizes=layer_operations(masked.shapes, size),
    )
    return {'plan': plan, 'gains': gains, 'costs': dict(costs.second), 'unit': costs.unit}
