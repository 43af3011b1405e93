# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random zoom, turn, shift, flip, light, colour and noise, on whole batches on the device.

Nothing here waits for the device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from mbu_ros.data.sample import IGNORE
from mbu_ros.training.recipe import Recipe


def augment(
    images: Tensor, labels: Tensor, mean: Tensor, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw one random view of each frame, of the frames' own size.

    Args:
        images: uint8 [N, 3, H, W].
        labels: uint8 [N, H, W].
        mean: float [1, 3, 1, 1], 0 to 255.
        recipe: how far views may differ.
        generator: on the images' device.

    Returns:
        float32 [N, 3, H, W], whole numbers: bytes less the mean, 0 outside the frame; and
        int64 [N, H, W], 255 outside the frame.
    """
    count, device = len(images), images.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        drawn = torch.empty(count, *shape, device=device)
        return drawn.uniform_(low, high, generator=generator)

    theta = _views(uniform, recipe, images.shape[2] / images.shape[3])
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)

    centered = images.float() - mean
    # 'border', so that pixels at the frame's edge do not blend with what is outside.
    views = functional.grid_sample(
        centered, grid, mode='bilinear', padding_mode='border', align_corners=False
    )
    # Shifted by one, so that the 0 outside the frame becomes 255.
    shifted = (labels.float() - IGNORE).unsqueeze(1)
    sampled = functional.grid_sample(shifted, grid, mode='nearest', align_corners=False)

    gain = torch.exp(uniform(-recipe.contrast, recipe.contrast, 1, 1, 1))
    offset = 255 * uniform(-recipe.brightness, recipe.brightness, 1, 1, 1)
    color = torch.exp(uniform(-recipe.color, recipe.color, 3, 1, 1))
    inside = (grid.abs().amax(dim=-1) <= 1).unsqueeze(1)
    lit = (views * gain + offset + mean) * color
    if recipe.noise:
        grain = torch.empty_like(lit).normal_(generator=generator)
        lit = lit + grain * uniform(0, recipe.noise, 1, 1, 1)
    lit = lit.clamp(0, 255).round() - mean
    return lit * inside, (sampled.squeeze(1) + IGNORE).round().long()


def _views(uniform, recipe: Recipe, aspect: float) -> Tensor:
    """Affine maps [N, 2, 3] from places in the view to places in the frame, as `affine_grid` wants.

    `aspect` is height over width: coordinates run from -1 to 1 along both sides.
    """
    zoom = torch.exp(uniform(math.log(recipe.zoom_min), math.log(recipe.zoom_max)))
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    turn = math.radians(recipe.rotation)
    angle = uniform(-turn, turn)
    # The view covers 1 / zoom of the frame; it moves within the frame, or the frame within it.
    room = (1 - 1 / zoom).abs()
    rows = (
        (flip * angle.cos() / zoom, -angle.sin() / zoom * aspect, room * uniform(-1, 1)),
        (flip * angle.sin() / zoom / aspect, angle.cos() / zoom, room * uniform(-1, 1)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)
