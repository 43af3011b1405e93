# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random zoom, shift, flip and light, on whole batches on the GPU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mbu_ros.data.sample import IGNORE

ZOOM = (0.75, 1.6)
BRIGHTNESS = 0.15
"""Largest change of brightness, as a share of 255."""
CONTRAST = 0.25
"""Largest change of the logarithm of contrast."""


def augment(
    images: Tensor, labels: Tensor, mean: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw one random view of each frame, of the frames' own size.

    Args:
        images: uint8 [N, 3, H, W].
        labels: uint8 [N, H, W].
        mean: float [1, 3, 1, 1], 0 to 255.
        generator: on the images' device.

    Returns:
        float32 [N, 3, H, W], whole numbers: bytes less the mean, 0 outside the frame; and
        int64 [N, H, W], 255 outside the frame.
    """
    count, device = len(images), images.device

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, device=device).uniform_(low, high, generator=generator)

    zoom = torch.exp(uniform(*(torch.tensor(ZOOM).log().tolist())))
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    # The view covers 1 / zoom of the frame; it moves within the frame, or the frame within it.
    room = (1 - 1 / zoom).abs()
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0] = flip / zoom
    theta[:, 1, 1] = 1 / zoom
    theta[:, 0, 2] = room * uniform(-1, 1)
    theta[:, 1, 2] = room * uniform(-1, 1)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)

    centered = images.float() - mean
    # 'border', so that pixels at the frame's edge do not blend with what is outside.
    views = functional.grid_sample(
        centered, grid, mode='bilinear', padding_mode='border', align_corners=False
    )
    # Shifted by one, so that the 0 outside the frame becomes 255.
    shifted = (labels.float() - IGNORE).unsqueeze(1)
    sampled = functional.grid_sample(shifted, grid, mode='nearest', align_corners=False)

    gain = torch.exp(uniform(-CONTRAST, CONTRAST)).reshape(-1, 1, 1, 1)
    offset = (255 * uniform(-BRIGHTNESS, BRIGHTNESS)).reshape(-1, 1, 1, 1)
    inside = (grid.abs().amax(dim=-1) <= 1).unsqueeze(1)
    lit = (views * gain + offset + mean).clamp(0, 255).round() - mean
    return lit * inside, (sampled.squeeze(1) + IGNORE).round().long()
