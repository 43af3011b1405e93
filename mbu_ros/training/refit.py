# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits the head of a finished student to labels, all else as it is.

A student that learns from teachers alone has a head that says what they said of the frames that
they were trained on, augmented as they were then. The labels of the frames as they are make a
better one of the same activations, as Touvron et al. 2019 (arXiv 1906.06423) fit a classifier to
the size that things will have. A 1x1 convolution is too small to learn frames by heart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from mbu_ros.network.unet import UNet
from mbu_ros.training.batches import Batch
from mbu_ros.training.distill import label_loss

LEARNING_RATE = 1e-2
"""At the start; it falls to 0 along a cosine."""


def refit_head(
    network: UNet,
    batches: Iterator[Batch],
    class_weights: Tensor,
    steps: int,
    lovasz: float = 0.0,
) -> None:
    """Fit the head to the labels of so many batches.

    Args:
        network: in its final state, with its batch norms' statistics; its head is changed in
            place.
        batches: of frames as a network will see them, with labels.
        class_weights: float [classes], of `distill.label_loss`.
        steps: how many batches to take.
        lovasz: likewise, of `distill.label_loss`.
    """
    needed = [parameter.requires_grad for parameter in network.parameters()]
    was_training = network.training
    network.eval().requires_grad_(False)
    network.head.requires_grad_(True)
    optimizer = torch.optim.Adam(network.head.parameters(), LEARNING_RATE)
    device = class_weights.device.type
    for step in range(steps):
        for group in optimizer.param_groups:
            group['lr'] = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        batch = next(batches)
        with torch.autocast(device, torch.float16, enabled=device == 'cuda'):
            logits = network(batch.images)
        loss = label_loss(logits.float(), batch.labels, class_weights, lovasz)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for parameter, wanted in zip(network.parameters(), needed):
        parameter.requires_grad_(wanted)
    network.train(was_training)
