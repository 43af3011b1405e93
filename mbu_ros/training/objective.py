# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What training minimises: from a batch to one loss, as one module that can be compiled whole."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbu_ros.model.structure import UP
from mbu_ros.network.unet import UNet
from mbu_ros.training.batches import Batch
from mbu_ros.training.distill import (
    distillation_loss,
    feature_loss,
    label_loss,
    mixed_label_loss,
)
from mbu_ros.training.recipe import Recipe


class Objective(nn.Module):
    """The loss of a network on a batch.

    Args:
        network: what is trained.
        teacher: a network that guides it, mostly a float one, or `teachers.Teachers`, in `eval` and
            without gradients; None: the loss on the labels is all there is.
        class_weights: float [classes], on the networks' device.
        recipe: the weights of the losses.
        logit_weights: likewise, of `distill.distillation_loss`.
    """

    class_weights: Tensor
    logit_weights: Tensor | None

    def __init__(
        self,
        network: UNet,
        teacher: nn.Module | None,
        class_weights: Tensor,
        recipe: Recipe,
        logit_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.network, self.teacher, self.recipe = network, teacher, recipe
        self.register_buffer('class_weights', class_weights, persistent=False)
        self.register_buffer('logit_weights', logit_weights, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """The loss, float32 without dimensions."""
        recipe = self.recipe
        if self.teacher is None:
            return self._label_loss(self.network(batch.images).float(), batch)
        features = recipe.feature_loss > 0
        logits, ours = _outputs(self.network, batch.images, features)
        teacher_logits, theirs = self._taught(batch.images, features)
        logits = logits.float()
        with torch.autocast(logits.device.type, enabled=False):
            loss = logits.new_zeros(())
            # One loss of the logits there always is: several processes want all gradients.
            if recipe.label_loss or not recipe.logit_loss:
                loss = loss + recipe.label_loss * self._label_loss(logits, batch)
            if recipe.logit_loss:
                divergence = distillation_loss(
                    logits, teacher_logits.float(), recipe.temperature, self.logit_weights
                )
                loss = loss + recipe.logit_loss * divergence
            if features:
                loss = loss + recipe.feature_loss * feature_loss(
                    self._compared(ours), self._compared(theirs)
                )
        return loss

    @torch.no_grad()
    def _taught(self, images: Tensor, features: bool) -> tuple[Tensor, list[Tensor]]:
        """The teacher's logits, and its features of the frames where they are wanted."""
        if not self.recipe.teacher_flip:
            return _outputs(self.teacher, images, features)
        count, both = len(images), torch.cat([images, images.flip(-1)])
        logits, seen = _outputs(self.teacher, both, features)
        mean = (logits[:count] + logits[count:].flip(-1)) / 2
        return mean, [feature[:count] for feature in seen]

    def _compared(self, features: list[Tensor]) -> list[Tensor]:
        shapes = self.network.shapes[:-1]
        return [
            feature
            for shape, feature in zip(shapes, features, strict=True)
            if shape.level - (shape.kind == UP) >= self.recipe.feature_level
        ]

    def _label_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        weights, lovasz = self.class_weights, self.recipe.lovasz
        if batch.own is None:
            return label_loss(logits, batch.labels, weights, lovasz)
        return mixed_label_loss(logits, batch.labels, weights, batch.own, lovasz)


def _outputs(network: nn.Module, images: Tensor, features: bool) -> tuple[Tensor, list[Tensor]]:
    """A network's logits, and its features where they are wanted."""
    return network(images, True) if features else (network(images), [])
