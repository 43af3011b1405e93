# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training frames that stay the same, on which networks that differ in one layer are compared."""

from __future__ import annotations

import math
from itertools import cycle, islice

import numpy as np
import torch
from torch import Tensor, nn

from mbu_ros.errors import InputError
from mbu_ros.network.unet import UNet
from mbu_ros.training.batches import TrainingFrames
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.distill import distillation_loss, label_loss
from mbu_ros.training.sensitivity import Adapt
from mbu_ros.training.settling import settle


class FixedFrames:
    """Frames of the train split as they are, half to measure losses on and half to adapt with.

    Not augmented, so that every network sees the same pixels; not of the split on which results are
    reported, so that no choice is made by it. Where the split has too few frames, those of the two
    halves are partly the same.

    Args:
        data: what the networks learnt.
        teacher: float network, or several, whose logits the networks should give; on `device`.
        frames: number of frames of each half, as far as there are.
        batch: frames that go through a network at once.
        class_weighting: see `Recipe`.
        device: of the networks.
        seed: chooses the frames.

    Attributes:
        frames: how many there are of each half.
    """

    def __init__(
        self,
        data: TrainingData,
        teacher: nn.Module,
        *,
        frames: int,
        batch: int,
        class_weighting: float,
        device: torch.device,
        seed: int,
    ) -> None:
        self._all = TrainingFrames(data, device, class_weighting)
        self._device = device
        self._mixed = device.type == 'cuda'  # half precision, as in training: twice as fast
        self._teacher = teacher.eval()
        order = np.random.default_rng(seed).permutation(len(self._all))
        self.frames = min(frames, len(order))
        self._measuring = _batches(order[: self.frames], batch)
        # Whole batches: of one frame's few pixels batch norm could learn little.
        count = -(-self.frames // batch) * batch
        self._adapting = _batches(np.resize(np.roll(order, -self.frames), count), batch)

    def loss(self, network: UNet) -> float:
        """Mean over the frames of cross entropy plus distillation from the teacher.

        Raises:
            InputError: it is no finite number.
        """
        was_training = network.training
        network.eval()
        with torch.no_grad():
            total = sum(
                float(self._loss(network, indices)) * len(indices) for indices in self._measuring
            )
        network.train(was_training)
        if not math.isfinite(total):
            raise InputError(
                f'the loss of a network that was to be compared is {total}: it diverged, or one of '
                'its weights is no finite number; lower the learning rate'
            )
        return total / self.frames

    def adapt(self, steps: int, learning_rate: float) -> Adapt:
        """What trains a network for so many steps at a constant rate, then settles its batch norm.

        It does the same to each network: the same batches in the same order.
        """

        def adapt(network: UNet) -> None:
            optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.0)
            scaler = torch.amp.GradScaler(self._device.type, enabled=self._mixed)
            network.train()
            for indices in islice(cycle(self._adapting), steps):
                loss = self._loss(network, indices)
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            settle(network, (self._images(indices) for indices in self._adapting))

        return adapt

    def _loss(self, network: UNet, indices: np.ndarray) -> Tensor:
        images, labels = self._images(indices), self._all.labels[indices].long()
        with torch.autocast(self._device.type, torch.float16, enabled=self._mixed):
            with torch.no_grad():
                target = self._teacher(images)
            logits = network(images).float()
        weights = self._all.class_weights
        return label_loss(logits, labels, weights) + distillation_loss(logits, target.float())

    def _images(self, indices: np.ndarray) -> Tensor:
        images = self._all.images[indices].float() - self._all.mean
        return images.contiguous(memory_format=torch.channels_last)


def _batches(indices: np.ndarray, batch: int) -> list[np.ndarray]:
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]
