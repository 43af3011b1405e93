# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training frames on the device, and random batches of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mbu_ros.training.augment import augment
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.distill import class_weights
from mbu_ros.training.mixing import mix, paste
from mbu_ros.training.recipe import TOGETHER, Recipe


class Batch(NamedTuple):
    """What one step sees.

    Attributes:
        images: float32 [N, 3, H, W], channels last: bytes less the data's mean.
        labels: int64 [N, H, W].
        own: [N], the share of each frame that is its own; None where frames are not blended.
    """

    images: Tensor
    labels: Tensor
    own: Tensor | None = None


class TrainingFrames:
    """The train split on a device, as bytes.

    Args:
        data: what to learn.
        device: where it goes, whole.
        class_weighting, logit_weighting: see `Recipe`.

    Attributes:
        images: uint8 [N, 3, H, W].
        labels: uint8 [N, H, W].
        mean: float [1, 3, 1, 1], 0 to 255.
        class_weights: float [classes].
        logit_weights: the same, of the logit loss; None where all pixels weigh the same.
    """

    def __init__(
        self,
        data: TrainingData,
        device: torch.device,
        class_weighting: float,
        logit_weighting: float = 0.0,
    ) -> None:
        images = np.ascontiguousarray(data.train.images.transpose(0, 3, 1, 2))
        self.images = torch.from_numpy(images).to(device)
        self.labels = torch.from_numpy(data.train.labels).to(device)
        self.mean = torch.tensor(data.mean, dtype=torch.float32, device=device)
        self.mean = self.mean.reshape(1, 3, 1, 1)

        def weights(power: float) -> Tensor:
            found = class_weights(data.train.labels, len(data.classes), power)
            return torch.from_numpy(found).to(device)

        self.class_weights = weights(class_weighting)
        self.logit_weights = weights(logit_weighting) if logit_weighting else None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def device(self) -> torch.device:
        """Where the frames are."""
        return self.images.device


class Batches:
    """Random batches without end: frames shuffled anew for each round, each seen once a round.

    Args:
        frames: the training frames.
        recipe: size of the batch and augmentation.
        seed: of the order, which all processes of a run have in common, and of augmentation.
        rank, ranks: which process this is, of how many. Each takes its own part of every batch.
    """

    def __init__(
        self,
        frames: TrainingFrames,
        recipe: Recipe,
        seed: int,
        *,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._frames, self._recipe = frames, recipe
        self._part, self._rank, self._ranks = recipe.batch // ranks, rank, ranks
        device = frames.device
        self._order = torch.Generator(device).manual_seed(seed)
        self._views = torch.Generator(device).manual_seed(seed + 1 + rank)
        self._waiting = torch.empty(0, dtype=torch.int64, device=device)

    def __next__(self) -> Batch:
        whole = self._part * self._ranks
        while len(self._waiting) < whole:
            order = torch.randperm(
                len(self._frames), generator=self._order, device=self._waiting.device
            )
            self._waiting = torch.cat([self._waiting, order])
        index, self._waiting = self._waiting[:whole], self._waiting[whole:]
        index = index[self._rank * self._part :][: self._part]
        frames, recipe = self._frames, self._recipe
        images, labels = augment(
            frames.images[index], frames.labels[index], frames.mean, recipe, self._views
        )
        images, labels = paste(images, labels, recipe, self._views)
        own = None
        if recipe.mixup:
            images, own = mix(images, recipe.mixup, self._views)
        return Batch(images.contiguous(memory_format=torch.channels_last), labels, own)

    def __iter__(self) -> Batches:
        return self

    def noise(self) -> Batch:
        """A batch of the same shapes that takes no frames: noise with random labels.

        Every parameter of a network gets a gradient of it. All processes have the same.
        """
        device, size = self._frames.device, self._frames.images.shape[1:]
        generator = torch.Generator(device).manual_seed(0)
        count, classes = self._part, len(self._frames.class_weights)
        images = torch.randint(-100, 100, (count, *size), device=device, generator=generator)
        shape = (count, *size[1:])
        labels = torch.randint(classes, shape, device=device, generator=generator)
        own = torch.full((count,), 0.5, device=device) if self._recipe.mixup else None
        return Batch(images.float().contiguous(memory_format=torch.channels_last), labels, own)

    def state(self) -> dict[str, Any]:
        """What the batches to come depend on, on the CPU."""
        return {
            'order': self._order.get_state(),
            'views': self._views.get_state(),
            'waiting': self._waiting.cpu(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._order.set_state(state['order'])
        self._views.set_state(state['views'])
        self._waiting = state['waiting'].to(self._waiting.device)


def views(frames: TrainingFrames, recipe: Recipe, seed: int, count: int) -> Iterator[Tensor]:
    """Images of so many batches, augmented but not mixed."""
    single = dataclasses.replace(recipe, **dict.fromkeys(TOGETHER, 0.0))
    return (batch.images for batch in islice(Batches(frames, single, seed), count))
