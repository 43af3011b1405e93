# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Losses: on the labels, and distillation from the teacher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mbu_ros.data.sample import IGNORE
from mbu_ros.training.datasets import count_labels
from mbu_ros.training.lovasz import lovasz_softmax

TEMPERATURE = 2.0


def class_weights(labels: np.ndarray, classes: int, power: float) -> np.ndarray:
    """(1 / frequency)**power per class, with mean 1 over the labelled pixels; 0 if it never occurs.

    Args:
        labels: uint8 [N, H, W], 255 where unlabelled.
        classes: number of classes.
        power: 0 or more; 0: all that occur weigh the same.

    Returns:
        float32 [classes].
    """
    counts = count_labels(labels)[:classes].astype(np.float64)
    share = counts / counts.sum()
    with np.errstate(divide='ignore'):
        weights = np.where(counts > 0, share**-power, 0)
    return (weights / (weights * share).sum()).astype(np.float32)


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor, lovasz: float = 0.0) -> Tensor:
    """Weighted cross entropy, mean over labelled pixels, and Lovász-softmax.

    Args:
        logits: [N, C, H, W].
        labels: int64 [N, H, W].
        weights: [C], of the classes in the cross entropy.
        lovasz: the weight of `lovasz.lovasz_softmax`, beside the 1 of the cross entropy.
    """
    loss = _cross_entropy(logits, labels, weights)
    return loss + lovasz * lovasz_softmax(logits, labels) if lovasz else loss


def mixed_label_loss(
    logits: Tensor, labels: Tensor, weights: Tensor, own: Tensor, lovasz: float = 0.0
) -> Tensor:
    """`label_loss` of frames that `mixing.mix` blended, with the labels of both.

    Args:
        logits, labels, weights, lovasz: see `label_loss`; the labels as they were before.
        own: [N], the share of each frame that is its own.
    """
    other = labels.roll(1, 0)
    loss = _cross_entropy(logits, labels, weights, own)
    loss = loss + _cross_entropy(logits, other, weights, 1 - own)
    if lovasz:
        twice, both = torch.cat([logits, logits]), torch.cat([labels, other])
        loss = loss + lovasz * lovasz_softmax(twice, both, torch.cat([own, 1 - own]))
    return loss


def _cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor, shares: Tensor | None = None
) -> Tensor:
    """Mean over labelled pixels; `shares`: [N], which frames' losses are multiplied by."""
    if shares is None:
        total = functional.cross_entropy(
            logits, labels, weights, ignore_index=IGNORE, reduction='sum'
        )
    else:
        loss = functional.cross_entropy(
            logits, labels, weights, ignore_index=IGNORE, reduction='none'
        )
        total = (loss.sum(dim=(1, 2)) * shares).sum()
    # Not divided by the weights of the pixels present, which would undo them on a one-class crop.
    return total / (labels != IGNORE).sum().clamp(min=1)


def distillation_loss(
    student: Tensor,
    teacher: Tensor,
    temperature: float = TEMPERATURE,
    weights: Tensor | None = None,
) -> Tensor:
    """KL divergence at a temperature (Hinton et al. 2015, arXiv 1503.02531), mean over pixels.

    Scaled by the square of the temperature, so that gradients keep their size.

    Args:
        student, teacher: logits [N, C, H, W].
        temperature: of both.
        weights: [C], of the classes: a pixel weighs what those weigh that the student and the
            teacher see there, half each. It is least where both agree, whatever weighs more, so
            that this does not make rare classes more probable, as weights of labels do. None: all
            pixels weigh the same.
    """
    log_student = functional.log_softmax(student / temperature, dim=1)
    log_teacher = functional.log_softmax(teacher / temperature, dim=1)
    divergence = functional.kl_div(log_student, log_teacher, reduction='none', log_target=True)
    divergence = divergence.sum(dim=1)
    if weights is not None:
        seen = (log_student.detach().exp() + log_teacher.exp()) / 2
        divergence = divergence * (seen * weights.reshape(-1, 1, 1)).sum(dim=1)
    return divergence.mean() * temperature**2


def feature_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """1 - cosine similarity over channels, mean over pixels and then over layers; 0 to 2.

    Only directions count, since a student of signs can give no lengths.

    Args:
        student, teacher: [N, channels, height, width] of each layer.
    """
    similar = [
        functional.cosine_similarity(ours.float(), theirs.float(), dim=1).mean()
        for ours, theirs in zip(student, teacher, strict=True)
    ]
    return 1 - torch.stack(similar).mean()
