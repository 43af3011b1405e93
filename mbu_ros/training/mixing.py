# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a batch put together: parts of one pasted into the next, or both blended.

Nothing here waits for the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ros.data.sample import IGNORE
from mbu_ros.training.recipe import Recipe


def paste(
    images: Tensor, labels: Tensor, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Paste parts of a frame, with their labels, over the next one of the batch.

    Args:
        images: float [N, 3, H, W].
        labels: int64 [N, H, W].
        recipe: with what probabilities (`classmix`, `cutmix`). Where a frame gets both, the
            rectangle comes over the classes.
        generator: on the images' device.

    Returns:
        New images and labels, or those that were given where the recipe has neither.
    """
    if recipe.classmix:
        images, labels = _over(images, labels, _classes(labels, recipe.classmix, generator))
    if recipe.cutmix:
        images, labels = _over(images, labels, _rectangles(labels, recipe.cutmix, generator))
    return images, labels


def _over(images: Tensor, labels: Tensor, pasted: Tensor) -> tuple[Tensor, Tensor]:
    """Frames with those before them in the batch where `pasted`, bool [N, H, W], is true."""
    return (
        torch.where(pasted.unsqueeze(1), images.roll(1, 0), images),
        torch.where(pasted, labels.roll(1, 0), labels),
    )


def _classes(labels: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Where the frame before has one of its drawn classes; each is drawn with a chance of a half.

    ClassMix (Olsson et al. 2021, arXiv 2007.07936), with the labels instead of predictions.
    """
    draws = torch.rand(len(labels), IGNORE + 2, device=labels.device, generator=generator)
    drawn = (draws[:, :-1] < 0.5) & (draws[:, -1:] < probability)
    drawn[:, IGNORE] = False  # what nobody labelled, and what is outside the frame
    other = labels.roll(1, 0)
    return drawn.gather(1, other.flatten(1)).reshape(labels.shape)


def _rectangles(labels: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """One rectangle in each frame; none in those that are not drawn.

    CutMix (Yun et al. 2019, arXiv 1905.04899): a uniform share of the frame, of its own aspect,
    anywhere; what would be outside is cut off.
    """
    count, height, width = labels.shape
    draws = torch.rand(4, count, 1, 1, device=labels.device, generator=generator)
    half = draws[0].sqrt() / 2 * (draws[3] < probability)
    rows = (torch.arange(height, device=labels.device) + 0.5) / height
    columns = (torch.arange(width, device=labels.device) + 0.5) / width
    return ((rows[:, None] - draws[1]).abs() < half) & ((columns - draws[2]).abs() < half)


def mix(
    images: Tensor, probability: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018, arXiv 1710.09412) of frames with those before them in the batch.

    The share is uniform, as Beyer et al. 2022 (arXiv 2106.05237) have it for distillation: there
    the teacher sees the mixed frames too, and the labels are mixed in the loss.

    Args:
        images: float [N, 3, H, W], whole numbers.
        probability: that a frame is mixed.
        generator: on the images' device.

    Returns:
        Mixed frames, whole numbers, and the share [N] of each that is its own, in [0, 1].
    """
    draws = torch.rand(2, len(images), device=images.device, generator=generator)
    own = torch.where(draws[0] < probability, draws[1], 1.0)
    share = own.reshape(-1, 1, 1, 1)
    return torch.lerp(images.roll(1, 0), images, share).round(), own
