# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A loss that acts on mIoU itself."""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ros.data.sample import IGNORE

STRIDE = 2
"""Of every so many rows and columns one counts: neighbours say much the same, and sorting all
pixels takes longer than the network does."""


def lovasz_softmax(logits: Tensor, labels: Tensor, shares: Tensor | None = None) -> Tensor:
    """Lovász-softmax (Berman et al. 2018, arXiv 1705.08790), mean over the classes present.

    The convex closure of 1 - IoU of each class over the batch, at the errors of its probabilities:
    cross entropy counts pixels, this counts classes, however small they are. 0 to 1.

    Args:
        logits: float32 [N, C, H, W].
        labels: int64 [N, H, W].
        shares: [N], of the frames, which the errors of their pixels are multiplied by; those with 0
            are left out. None: all have 1.
    """
    logits, labels = logits[..., ::STRIDE, ::STRIDE], labels[..., ::STRIDE, ::STRIDE]
    weight = (labels != IGNORE).float()
    weight = weight if shares is None else weight * shares.reshape(-1, 1, 1)
    weight, labels = weight.flatten(), labels.flatten()
    losses, present = [], []
    # Class by class: sorts and running sums of one dimension are the fast ones of a GPU.
    for index, probability in enumerate(logits.softmax(dim=1).unbind(1)):
        truth = (labels == index) & (weight > 0)
        errors = (truth.float() - probability.flatten()).abs() * weight
        errors, order = errors.sort(descending=True)
        losses.append(errors @ _growth_of_jaccard_loss(truth[order].float()))
        present.append(truth.any().float())
    mean = torch.stack(present)
    return (torch.stack(losses) * mean).sum() / mean.sum().clamp(min=1)


def _growth_of_jaccard_loss(truth: Tensor) -> Tensor:
    """By how much 1 - IoU grows with each pixel that is wrong, beside all before it.

    What cannot be wrong, such as unlabelled pixels, comes last, where nothing depends on it.

    Args:
        truth: float [P], 1 where the class is.
    """
    total = truth.sum()
    union = total + (1 - truth).cumsum(0)
    loss = 1 - (total - truth.cumsum(0)) / union.clamp(min=1)
    return torch.cat([loss[:1], loss.diff()])
