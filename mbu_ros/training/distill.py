# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Losses: weighted cross entropy on the labels, and distillation from the teacher."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mbu_ros.data.sample import IGNORE

TEMPERATURE = 2.0
CLASS_WEIGHT_POWER = 0.4


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """(1 / frequency)**0.4 per class, with mean 1 over the labelled pixels; 0 if it never occurs.

    Args:
        labels: uint8 of any shape, 255 where unlabelled.
        classes: number of classes.

    Returns:
        float32 [classes].
    """
    counts = np.bincount(labels.ravel(), minlength=256)[:classes].astype(np.float64)
    share = counts / counts.sum()
    with np.errstate(divide='ignore'):
        weights = np.where(counts > 0, share ** -CLASS_WEIGHT_POWER, 0)
    return (weights / (weights * share).sum()).astype(np.float32)


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross entropy: logits [N, C, H, W], labels int64 [N, H, W], weights [C]."""
    # Not divided by the weights of the pixels present, which would undo them on a one-class crop.
    total = functional.cross_entropy(
        logits, labels, weights, ignore_index=IGNORE, reduction='sum'
    )
    return total / (labels != IGNORE).sum().clamp(min=1)


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """KL divergence at temperature 2 (Hinton et al. 2015, arXiv 1503.02531), mean over pixels.

    Scaled by the square of the temperature, so that gradients keep their size.
    """
    log_student = functional.log_softmax(student / TEMPERATURE, dim=1)
    log_teacher = functional.log_softmax(teacher / TEMPERATURE, dim=1)
    divergence = functional.kl_div(log_student, log_teacher, reduction='none', log_target=True)
    return divergence.sum(dim=1).mean() * TEMPERATURE**2


def total_loss(
    logits: Tensor, labels: Tensor, weights: Tensor, teacher: Tensor | None
) -> Tensor:
    """Both together; without the second where there is no teacher."""
    logits = logits.float()
    loss = label_loss(logits, labels, weights)
    if teacher is not None:
        with torch.autocast(logits.device.type, enabled=False):
            loss = loss + distillation_loss(logits, teacher.float())
    return loss
