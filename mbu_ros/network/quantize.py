# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Quantisers that pass gradients straight through (Bengio et al. 2013, arXiv 1308.3432)."""

from __future__ import annotations

import torch
from torch import Tensor

MASK_THRESHOLD = 0.7
"""A masked weight is 0 where it is smaller than this times its output channel's mean size."""

MAX_THRESHOLD = 1.9
"""The largest allowed: from 2 on, where latent weights are clamped, all could become 0."""

THRESHOLD_RAMP = 0.25
"""Width, in latent weights, of the band around half a threshold whose weights pull at it."""


def _quadratic(x: Tensor) -> Tensor:
    """Derivative 2 - 2|x| on [-1, 1]: Bi-Real Net (Liu et al. 2018, arXiv 1808.00278)."""
    x = x.clamp(-1, 1)
    return x * (2 - x.abs())


def _clip(x: Tensor) -> Tensor:
    """Derivative 1 on [-1, 1]: Binarized Neural Networks (Hubara et al. 2016, arXiv 1602.02830)."""
    return x.clamp(-1, 1)


def _tanh(x: Tensor) -> Tensor:
    """The shape of IR-Net's estimator (Qin et al. 2020, arXiv 1909.10788).

    IR-Net narrows it while it trains; here it stays as it is.
    """
    return torch.tanh(2 * x)


ACTIVATION_GRADIENTS = {'quadratic': _quadratic, 'clip': _clip, 'tanh': _tanh}
"""The function whose derivative stands in for that of the sign, by name."""


def sign(x: Tensor, gradient: str = 'quadratic') -> Tensor:
    """Sign with sign(0) = +1, and the derivative of one of `ACTIVATION_GRADIENTS`.

    Not an `autograd.Function`: torch.compile of PyTorch 2.11 takes its result for one without
    gradient, and what is compiled silently learns nothing below it.
    """
    hard = (x >= 0).to(x.dtype) * 2 - 1
    smooth = ACTIVATION_GRADIENTS[gradient](x)
    # The difference is exactly 0, so the activations are exactly -1 and +1.
    return hard + (smooth - smooth.detach())


def rounded(x: Tensor) -> Tensor:
    """Nearest integers, exactly, with the gradient of x."""
    return x.detach().round() + (x - x.detach())


def _latent(weight: Tensor, channel_axis: int) -> Tensor:
    """Weights over twice their output channel's mean size, clamped to [-1, 1].

    The mean is taken in float64: in float32 it depends on the order of summation, so that weights
    at a threshold were other ones on the GPU that trained than on the CPU that deploys.
    """
    axes = [axis for axis in range(weight.ndim) if axis != channel_axis]
    size = weight.detach().double().abs().mean(dim=axes, keepdim=True)
    size = size.to(weight.dtype).clamp_min(1e-12)
    return (weight / (2 * size)).clamp(-1, 1)


def _straight_through(latent: Tensor, hard: Tensor, blend: Tensor | None) -> Tensor:
    """The hard weight, or (1 - blend) latent + blend hard, with the latent weight's gradient."""
    value = hard if blend is None else torch.lerp(latent.detach(), hard, blend)
    # The difference is exactly 0, so the weights are exactly integers.
    return value + (latent - latent.detach())


def binarize(weight: Tensor, channel_axis: int = 0, *, blend: Tensor | None = None) -> Tensor:
    """Weights of any shape to -1 and +1; the gradient is that of the clamped latent weight.

    Args:
        weight: any shape.
        channel_axis: of the output channels.
        blend: 0 to 1, on the weight's device: how much of the way from the latent to the
            quantised weight to go; all of it where None.
    """
    latent = _latent(weight, channel_axis)
    hard = torch.where(latent >= 0, 1.0, -1.0).to(weight.dtype)
    return _straight_through(latent, hard, blend)


def mask_binarize(
    weight: Tensor,
    channel_axis: int = 0,
    threshold: float | Tensor = MASK_THRESHOLD,
    *,
    blend: Tensor | None = None,
) -> Tensor:
    """Weights to -1, 0 and +1, the masked binary weights of MBU-Net (arXiv 2601.11660).

    0 where |w| < threshold mean|w| of its output channel (0.7 is the threshold of ternary weight
    networks, Li et al. 2016, arXiv 1605.04711); the gradient is that of the clamped latent weight.

    Args:
        weight, channel_axis, blend: see `binarize`.
        threshold: 0 to 2; or a tensor of them, one per output channel, of the weight's rank. Its
            gradient is that of steps widened to ramps of `THRESHOLD_RAMP`, as LSQ learns its step
            size (Esser et al. 2020, arXiv 1902.08153).
    """
    latent = _latent(weight, channel_axis)
    # The latent weight is |w| over twice the mean, hence half the threshold.
    half = threshold / 2
    kept = latent.abs() >= half
    hard = torch.where(kept, latent.sign(), 0.0).to(weight.dtype)
    value = _straight_through(latent, hard, blend)
    if isinstance(half, Tensor) and half.requires_grad:
        fixed = latent.detach()
        ramp = fixed.sign() * ((fixed.abs() - half) / THRESHOLD_RAMP + 0.5).clamp(0, 1)
        value = value + (ramp - ramp.detach())
    return value


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
    return rounded(scaled), scale
