# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A loss that acts on mIoU itself."""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ros.data.sample import IGNORE

BINS = 1024
"""Errors are put in order by bins of equal width: within 1 / BINS of what sorting gives, in less
time: with sorts a step of training took twice as long."""


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
    weight = (labels != IGNORE).float()
    weight = weight if shares is None else weight * shares.reshape(-1, 1, 1)
    classes = torch.arange(logits.shape[1], device=logits.device).reshape(-1, 1, 1)
    truth = labels[:, None] == classes
    errors = (truth.float() - logits.softmax(dim=1)).abs() * weight[:, None]
    growth, present = _growth_of_jaccard_loss(errors, truth, weight > 0)
    return (errors * growth).sum() / present.sum().clamp(min=1)


@torch.no_grad()
def _growth_of_jaccard_loss(
    errors: Tensor, truth: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor]:
    """By how much 1 - IoU grows with each pixel that is wrong, beside all with larger errors.

    Those of a bin share what all of them together add.

    Args:
        errors: [N, C, H, W], 0 to 1.
        truth: bool [N, C, H, W], where each class is.
        counted: bool [N, H, W], where there is a label.

    Returns:
        Of each pixel, [N, C, H, W], and whether each class is present, float [C].
    """
    count = truth.shape[1]
    classes = torch.arange(count, device=errors.device).reshape(-1, 1, 1)
    bins = ((1 - errors) * BINS).long().clamp(0, BINS - 1) + BINS * classes  # the largest first
    index = (bins + count * BINS * truth).flatten()
    pixels = counted[:, None].expand_as(truth).int().flatten()  # their sums are exact in any order
    zeros = torch.zeros(2 * count * BINS, dtype=torch.int32, device=errors.device)
    outside, inside = zeros.scatter_add(0, index, pixels).reshape(2, count, BINS)
    total = inside.sum(dim=1, keepdim=True)
    present = (total > 0).float()
    union = (total + outside.cumsum(1)).clamp(min=1)
    loss = 1 - (total - inside.cumsum(1)) / union
    growth = loss.diff(dim=1, prepend=loss.new_zeros(count, 1)) * present
    growth = growth / (inside + outside).clamp(min=1)
    return growth.flatten()[bins], present.flatten()
