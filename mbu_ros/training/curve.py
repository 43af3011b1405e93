# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy against cost: plans from all binary to all masked, each fine-tuned for equal time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mbu_ros.network.masking import MaskPlan, greedy_plan
from mbu_ros.network.unet import UNet
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.recipe import Recipe
from mbu_ros.training.train import fine_tune
from mbu_ros.training.validate import evaluate

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the extra cost of an all-masked network, for each of which a plan is made."""
NEARLY = 0.02
"""Shares that differ by no more than this are taken for one."""
WORTH_COMPILING = 120.0
"""Seconds of fine-tuning of a plan, below which compiling it takes longer than it saves."""


@dataclass(frozen=True)
class Candidate:
    """A plan of the curve.

    Attributes:
        share: of the extra cost that it may have, in [0, 1].
        plan: planes per binary layer.
        chosen: whether it is the plan that keeps the budget asked for.
    """

    share: float
    plan: MaskPlan
    chosen: bool


def candidates(
    gains: Mapping[str, float],
    costs: Mapping[str, float],
    sizes: Mapping[str, float],
    chosen_share: float,
) -> list[Candidate]:
    """The plans of the curve, those of `SHARES` and the chosen one, with rising share.

    The chosen one stands for a share that is nearly its own, unless that is 0 or 1; and plans that
    are equal are one, with the smallest of their shares. See `greedy_plan` for the arguments.
    """
    shares = [s for s in SHARES if s in (0, 1) or abs(s - chosen_share) > NEARLY]
    points: list[Candidate] = []
    for share in sorted({*shares, chosen_share}):
        plan, chosen = greedy_plan(gains, costs, share, sizes=sizes), share == chosen_share
        if points and points[-1].plan == plan:
            points[-1] = replace(points[-1], chosen=points[-1].chosen or chosen)
        else:
            points.append(Candidate(share, plan, chosen))
    return points


def train_curve(
    points: Sequence[Candidate],
    masked: UNet,
    teacher: UNet,
    data: TrainingData,
    recipe: Recipe,
    *,
    minutes: float,
    device: str,
    seed: int,
    ended: Callable[[Candidate, dict], object],
) -> None:
    """Fine-tune each plan from the all-masked network, and evaluate it on the val split.

    Args:
        points: the plans.
        masked: trained network with two planes everywhere, which stays as it is.
        teacher: the float network that guides.
        minutes: time of all of them together; each gets an equal part.
        device, seed: as for `fine_tune`; all have the same seed.
        ended: called after each with its point and {'miou', 'pixel_accuracy'}, both in [0, 1],
            of the trained network.

    Raises:
        InputError: a network diverged.
    """
    seconds = 60 * minutes / len(points)
    if seconds < WORTH_COMPILING:
        recipe = replace(recipe, compiled=False)
    for point in points:
        network = fine_tune(
            masked,
            teacher,
            point.plan,
            data,
            recipe,
            seconds=seconds,
            device=device,
            seed=seed,
        )
        confusion = evaluate(network, data.val, data.mean, len(data.classes))
        ended(
            point, {'miou': confusion.miou(), 'pixel_accuracy': confusion.pixel_accuracy()}
        )
