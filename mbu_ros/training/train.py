# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: one network, in stages, under a time budget."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from mbu_ros.errors import InputError
from mbu_ros.network.edges import center_edges
from mbu_ros.network.masking import MaskPlan
from mbu_ros.network.unet import Precision, UNet
from mbu_ros.training.batches import Batches, TrainingFrames, views
from mbu_ros.training.best import Best
from mbu_ros.training.clock import Clock
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.distributed import Ranks
from mbu_ros.training.networks import Stage
from mbu_ros.training.progress import LearningCurve, Progress, Watch, passed
from mbu_ros.training.recipe import Recipe
from mbu_ros.training.refit import refit_head
from mbu_ros.training.settling import settle
from mbu_ros.training.steps import Steps

AnyNetwork = TypeVar('AnyNetwork', bound=nn.Module)

CHECKPOINT_SECONDS = 45.0
"""A killed run loses at most about this much."""
LOSS_EVERY = 10
"""Steps between looks at the loss, each of which waits for the device."""
SETTLE_STEPS = 50
"""Batches over which batch norm's statistics are taken anew once weights are final."""
CURVE_SETTLE_STEPS = 15
"""The same, for the points of a learning curve."""
EVALUATIONS = 4
"""Times within a stage that the network is evaluated, for the learning curve."""
SELECTING_EVALUATIONS = 12
"""The same, in the last stage, where the best of them is what becomes of the network."""


class Diverged(InputError):
    """A loss or a weight is no longer a finite number."""


class Trainer:
    """Trains one network.

    Args:
        network: on the device; its weights are changed.
        teacher: network, or several, that guide it, on the device, in `eval` and without
            gradients.
        stages: what to do, in order.
        frames: what to learn from.
        recipe: how.
        seconds: time for the steps.
        seed: of the order of frames and of augmentation.
        ranks: the processes that train together.
        watch: see `Watch`.

    Attributes:
        progress: where it is.
    """

    def __init__(
        self,
        network: UNet,
        teacher: nn.Module | None,
        stages: Sequence[Stage],
        frames: TrainingFrames,
        recipe: Recipe,
        *,
        seconds: float,
        seed: int,
        ranks: Ranks | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._network, self._teacher, self._stages = network, teacher, stages
        recipe = recipe if teacher is not None else recipe.without_teacher()
        self._frames, self._recipe, self._seconds, self._seed = frames, recipe, seconds, seed
        self._ranks = ranks or Ranks(frames.device)
        self._watch = watch or Watch()
        self._batches = Batches(
            frames, recipe, seed, rank=self._ranks.rank, ranks=self._ranks.count
        )
        self._saved: dict[str, Any] | None = None
        selecting = recipe.select_best and self._watch.evaluate is not None
        self._best = Best() if selecting else None
        self.progress = Progress()
        network.set_quantizers(
            mask_threshold=recipe.mask_threshold,
            activation_gradient=recipe.activation_gradient,
            head_input=recipe.head_input,
        )

    def run(self) -> UNet:
        """Train through what is left; returns the network with its averaged weights, in `eval`.

        Raises:
            Diverged: the loss or a weight is no longer a finite number.
        """
        while self.progress.stage < len(self._stages):
            stage = self._stages[self.progress.stage]
            steps = Steps(
                self._network,
                self._teacher,
                stage,
                self._frames,
                self._recipe,
                self._ranks,
                self._batches.noise(),
            )
            if self._saved is not None:
                steps.load_state(self._saved)
                self._saved = None
            self._run_stage(stage, steps)
            steps.finish()
            self.progress.stage += 1
            self.progress.elapsed = 0.0
            if self.progress.stage < len(self._stages):
                self._save()
        if self._ranks.first:
            self._settle(self._network, SETTLE_STEPS)
            self._select()
            if self._network.head.precision is Precision.QUANTIZED:
                center_edges(self._network)
                plain = Batches(self._frames, self._recipe.without_augmentation(), self._seed)
                weights, recipe = self._frames.class_weights, self._recipe
                refit_head(self._network, plain, weights, recipe.refit_steps, recipe.lovasz)
        self._ranks.share(self._network)
        return self._network.eval()

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        self.progress = Progress(**state['progress'])
        self._network.load_state_dict(state['network'])
        self._batches.load_state(state['batches'][self._ranks.rank])
        self._saved = state if 'optimizer' in state else None
        if self._best is not None and state.get('best') is not None:
            self._best.load_state(state['best'])

    def _run_stage(self, stage: Stage, steps: Steps) -> None:
        progress, budget = self.progress, self._seconds * stage.share
        curve = LearningCurve(stage.name, progress, self._recipe.batch)
        selecting = self._best is not None and stage is self._stages[-1]
        evaluations = SELECTING_EVALUATIONS if selecting else EVALUATIONS
        clock = Clock(self._frames.device, progress.elapsed)
        last_save, loss = clock.now(), math.nan  # until the first look
        # At least one step, however small the budget, so that no stage is skipped.
        while progress.elapsed < budget or not progress.elapsed:
            before = progress.elapsed / budget
            loss_tensor = steps.step(next(self._batches), min(1.0, before))
            progress.steps += 1
            # Rank 0's clock counts for all: they must take equal steps at equal learning rates.
            elapsed, saving = self._ranks.agree(
                clock.step(), clock.now() - last_save >= CHECKPOINT_SECONDS
            )
            progress.seconds += elapsed - progress.elapsed
            progress.elapsed = elapsed
            share = min(1.0, elapsed / budget)
            ending = share == 1
            evaluating = not ending and passed(before, share, evaluations + 1)
            if ending or saving or evaluating or progress.steps % LOSS_EVERY == 0:
                loss = loss_tensor.item()
                # Before anything is saved, so that a checkpoint is always a good one.
                self._check(loss, stage, weights=bool(ending or saving))
                miou = None
                if evaluating and self._ranks.first and self._watch.evaluate:
                    with clock.paused():
                        network = self._averaged(
                            steps, SETTLE_STEPS if selecting else CURVE_SETTLE_STEPS
                        )
                        miou = self._watch.evaluate(network)
                        if selecting:
                            self._best.offer(network, progress.steps, miou)
                if curve.due(share) or ending or miou is not None:
                    point = curve.add(share, loss, steps.learning_rate(share), miou)
                    if self._ranks.first:
                        self._watch.point(point)
            if self._ranks.first:
                self._watch.step(stage.name, share, loss)
            if saving and not ending:
                with clock.paused():
                    self._save(steps.state())
                last_save = clock.now()

    def _select(self) -> None:
        """Go back to the best look, where that is asked for and the end is not the best."""
        if self._best is None:
            return
        progress = self.progress
        miou = self._watch.evaluate(self._network.eval())
        progress.history[-1]['val_miou'] = miou
        self._best.offer(self._network, progress.steps, miou)
        self._best.copy_to(self._network)
        progress.selected_step = self._best.step

    def _averaged(self, steps: Steps, settle_steps: int) -> UNet:
        """A copy of the network with the weights averaged so far, settled."""
        network = copy.deepcopy(self._network)
        steps.average.copy_to(network)
        self._settle(network, settle_steps)
        return network.eval()

    def _settle(self, network: UNet, steps: int) -> None:
        """Take batch norm's statistics anew, of frames that are not mixed.

        Those of zoomed ones are not those of frames as a network will see them (Touvron et al.
        2019, arXiv 1906.06423).
        """
        recipe = self._recipe
        if recipe.plain_statistics:
            recipe = recipe.without_augmentation()
        settle(network, views(self._frames, recipe, self._seed, steps))

    def _check(self, loss: float, stage: Stage, *, weights: bool) -> None:
        good = math.isfinite(loss)
        if weights and good:  # a step can spoil them after a loss that was still good
            good = all(bool(p.isfinite().all()) for p in self._network.parameters())
        if not self._ranks.all(good):
            raise Diverged(
                f'training diverged in stage {stage.name!r} by step {self.progress.steps}, with a '
                f'loss of {loss}'
            )

    def _save(self, states: dict[str, Any] | None = None) -> None:
        batches = self._ranks.gather(self._batches.state())
        if self._ranks.first:
            self._watch.save(
                {
                    'progress': dataclasses.asdict(self.progress),
                    'network': self._network.state_dict(),
                    'batches': batches,
                    'best': None if self._best is None else self._best.state(),
                    **(states or {}),
                }
            )


def frozen(network: AnyNetwork) -> AnyNetwork:
    """The network as a teacher: in `eval`, without gradients."""
    return network.eval().requires_grad_(False)


def fine_tune(
    network: UNet,
    teacher: UNet | None,
    plan: MaskPlan,
    data: TrainingData,
    recipe: Recipe,
    *,
    seconds: float,
    device: str | torch.device,
    seed: int,
) -> UNet:
    """Train a copy of a network on, quantised by a plan.

    Args:
        network: what to start from; stays as it is.
        teacher: a float network that guides it; stays as it is.
        plan: planes per binary layer.
        data: what to learn.
        recipe: how.
        seconds: time for the steps.
        device: where to train.
        seed: of the order of frames and of augmentation.

    Returns:
        The trained network on the device, at Precision.QUANTIZED, in `eval`.

    Raises:
        Diverged: the loss or a weight is no longer a finite number.
    """
    device = torch.device(device)
    student = copy.deepcopy(network).to(device, memory_format=torch.channels_last)
    student.requires_grad_(True).set_precision(Precision.QUANTIZED, plan)
    if teacher is not None:
        teacher = frozen(copy.deepcopy(teacher).to(device, memory_format=torch.channels_last))
    return Trainer(
        student,
        teacher,
        (Stage('quantized', Precision.QUANTIZED),),
        TrainingFrames(data, device, recipe.class_weighting, recipe.logit_weighting),
        recipe,
        seconds=seconds,
        seed=seed,
    ).run()
