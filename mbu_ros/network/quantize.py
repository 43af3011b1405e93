# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Quantisers that pass gradients straight through (Bengio et al. 2013, arXiv 1308.3432)."""

from __future__ import annotations

import torch
from torch import Tensor

MASK_THRESHOLD = 0.7
"""A masked weight is 0 where it is smaller than this times its output channel's mean size."""


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        return gradient * (2 - 2 * x.abs()).clamp_(min=0)


def sign(x: Tensor) -> Tensor:
    """Sign with sign(0) = +1, and the gradient 2 - 2|x| on [-1, 1], 0 outside.

    That gradient is of the piecewise quadratic approximation of Liu et al. 2018 (Bi-Real Net,
    arXiv 1808.00278).
    """
    return _Sign.apply(x)


def _latent(weight: Tensor, channel_axis: int) -> Tensor:
    """Weights over twice their output channel's mean size, clamped to [-1, 1]."""
    axes = [axis for axis in range(weight.ndim) if axis != channel_axis]
    size = weight.detach().abs().mean(dim=axes, keepdim=True).clamp_min(1e-12)
    return (weight / (2 * size)).clamp(-1, 1)


def binarize(weight: Tensor, channel_axis: int = 0) -> Tensor:
    """Weights of any shape to -1 and +1; the gradient is that of the clamped latent weight."""
    latent = _latent(weight, channel_axis)
    hard = torch.where(latent >= 0, 1.0, -1.0).to(weight.dtype)
    return latent + (hard - latent).detach()


def mask_binarize(weight: Tensor, channel_axis: int = 0) -> Tensor:
    """Weights to -1, 0 and +1, the masked binary weights of MBU-Net (arXiv 2601.11660).

    0 where |w| < 0.7 mean|w| of its output channel (the threshold of ternary weight networks, Li et
    al. 2016, arXiv 1605.04711); the gradient is that of the clamped latent weight.
    """
    latent = _latent(weight, channel_axis)
    # The latent weight is |w| over twice the mean, hence half the threshold.
    kept = latent.abs() >= MASK_THRESHOLD / 2
    hard = torch.where(kept, latent.sign(), 0.0).to(weight.dtype)
    return latent + (hard - latent).detach()


def quantize_int8(weight: Tensor, channel_axis: int | None = None) -> tuple[Tensor, Tensor]:
    """Symmetric int8: (q, scale) with q integer-valued in [-127, 127] and weight about q * scale.

    Args:
        weight: any shape.
        channel_axis: one scale per entry of this axis; one for all where None.

    Returns:
        q with the gradient of weight / scale; scale without gradient, broadcast to weight's rank.
    """
    detached = weight.detach().abs()
    if channel_axis is None:
        size = detached.amax().reshape([1] * weight.ndim)
    else:
        axes = [axis for axis in range(weight.ndim) if axis != channel_axis]
        size = detached.amax(dim=axes, keepdim=True)
    scale = size.clamp_min(1e-12) / 127
    scaled = weight / scale
    return scaled + (scaled.round() - scaled).detach(), scale
