# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The steps of one stage: forward, backward, optimizer and average, without waiting for any."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ros.network.unet import UNet
from mbu_ros.training.averaging import Average
from mbu_ros.training.batches import Batch, TrainingFrames
from mbu_ros.training.compiling import COMPILER
from mbu_ros.training.distributed import Ranks
from mbu_ros.training.networks import Stage
from mbu_ros.training.objective import Objective
from mbu_ros.training.recipe import Recipe

WARM_UP = 0.02
"""Share of a stage in which the learning rate rises."""
WARM_UP_SCALE = 1024.0
"""Factor on the loss of the first batch, so that half precision holds the smallest gradients."""


class Steps:
    """Takes the steps of a stage.

    Args:
        network: on the device; set to the stage's precision here.
        teacher: see `Objective`.
        stage: what is quantised, and how fast.
        frames: what is learnt, on the device.
        recipe: losses, learning rate, averaging.
        ranks: the processes that train together.
        noise: a batch to warm up with, by which nothing is learnt; see `Batches.noise`.

    Attributes:
        average: of the weights so far.
    """

    def __init__(
        self,
        network: UNet,
        teacher: nn.Module | None,
        stage: Stage,
        frames: TrainingFrames,
        recipe: Recipe,
        ranks: Ranks,
        noise: Batch,
    ) -> None:
        self._network, self._stage, self._recipe = network, stage, recipe
        self._mixed = ranks.device.type == 'cuda'
        network.set_precision(stage.precision).learn_thresholds(recipe.learned_thresholds).train()
        network.blending = stage.blending > 0
        self._optimizer = _optimizer(network, recipe.learning_rate, stage.weight_decay)
        self._optimizer.zero_grad()  # its first call imports much: now, before time counts
        self._scaler = torch.amp.GradScaler(ranks.device.type, enabled=self._mixed)
        self.average = Average(network, recipe.averaging)
        objective = Objective(
            network, teacher, frames.class_weights, recipe, frames.logit_weights
        )
        self._objective = self._prepared(objective, ranks, noise)

    def step(self, batch: Batch, progress: float) -> Tensor:
        """Learn from one batch; returns the loss, on the device.

        Args:
            batch: on the device.
            progress: of the stage, in [0, 1]: what the learning rate and the blending depend on.
        """
        rate = self.learning_rate(progress)
        for group in self._optimizer.param_groups:
            group['lr'] = rate
        if self._network.blending:
            self._network.blend.fill_(min(1.0, progress / self._stage.blending))
        with self._autocast():
            loss = self._objective(batch)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.average.update()
        return loss.detach()

    def learning_rate(self, progress: float) -> float:
        """A short rise, then a cosine to the recipe's final rate."""
        highest, final = self._recipe.learning_rate, self._recipe.final_rate
        if progress < WARM_UP:
            return highest * max(progress / WARM_UP, 0.01)
        return highest * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))

    def finish(self) -> None:
        """Make the average the network's weights, and quantise them fully."""
        self.average.copy_to(self._network)
        self._network.blending = False

    def state(self) -> dict[str, Any]:
        """For a checkpoint, beside the network's own."""
        return {
            'optimizer': self._optimizer.state_dict(),
            'scaler': self._scaler.state_dict(),
            'average': self.average.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._optimizer.load_state_dict(state['optimizer'])
        self._scaler.load_state_dict(state['scaler'])
        self.average.load_state(state['average'])

    def _autocast(self) -> AbstractContextManager:
        device = 'cuda' if self._mixed else 'cpu'
        return torch.autocast(device, torch.float16, enabled=self._mixed)

    def _prepared(self, objective: Objective, ranks: Ranks, noise: Batch) -> nn.Module:
        """The objective as the steps call it: compiled where asked for, tuned on a GPU."""
        if not self._mixed:
            return ranks.parallel(objective)
        torch.backends.cudnn.benchmark = True

        def warm_up(module: nn.Module) -> list[float]:
            return self._warm_up(module, noise)

        if self._recipe.compiled:
            return COMPILER.compile(objective, ranks.parallel, warm_up)
        module = ranks.parallel(objective)
        warm_up(module)
        return module

    def _warm_up(self, module: nn.Module, noise: Batch) -> list[float]:
        """Let the compiler and the choice of convolutions do their work before time counts.

        It changes nothing but the running statistics of batch norm, which are taken anew later.
        Returns the size of each parameter's gradient, 0 where it has none.
        """
        with self._autocast():
            loss = module(noise)
        (loss * WARM_UP_SCALE).backward()
        none = torch.zeros((), device=loss.device)
        gradients = (p.grad for p in self._network.parameters())
        norms = [none if g is None else g.float().norm() for g in gradients]
        sizes = torch.stack(norms).tolist()
        self._network.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        return sizes


def _optimizer(network: UNet, rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW that decays weights, but neither batch norms nor biases."""
    parameters = list(network.parameters())
    groups = [
        {'params': [p for p in parameters if p.ndim > 1], 'weight_decay': weight_decay},
        {'params': [p for p in parameters if p.ndim <= 1], 'weight_decay': 0.0},
    ]
    fused = parameters[0].device.type == 'cuda'
    return torch.optim.AdamW(groups, rate, fused=fused)
