# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good a network in training is on a split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.network.unet import UNet
from mbu_ros.training.datasets import Split


@torch.inference_mode()
def predict(
    network: UNet, split: Split, mean: tuple[int, int, int], batch: int = 8
) -> Iterator[np.ndarray]:
    """Labels of each frame of a split, uint8 [H, W], by the network as it is, in float32."""
    device = next(network.parameters()).device
    center = torch.tensor(mean, dtype=torch.float32, device=device).reshape(1, 3, 1, 1)
    was_training = network.training
    network.eval()
    try:
        for start in range(0, len(split), batch):
            images = torch.from_numpy(split.images[start : start + batch]).to(device)
            logits = network(images.permute(0, 3, 1, 2).float() - center)
            yield from logits.argmax(dim=1).byte().cpu().numpy()
    finally:
        network.train(was_training)


def evaluate(
    network: UNet, split: Split, mean: tuple[int, int, int], classes: int
) -> ConfusionMatrix:
    """Confusion matrix of a network on a split."""
    confusion = ConfusionMatrix(classes)
    for label, prediction in zip(split.labels, predict(network, split, mean)):
        confusion.add(label, prediction)
    return confusion
