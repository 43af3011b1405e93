# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a trained network to a deployed one: batch norms become integer thresholds.

A hidden layer of the trained network sees activations s in {-1, +1}, padded with -1, and weights w
in {-1, 0, +1}. It computes y = sum w s, then the batch norm and the sign:

    bit = [ gamma (y - mean) / sqrt(variance + eps) + beta >= 0 ]

The deployed one sees bits a with s = 2 a - 1 (so the padding is a = 0) and acc = sum w a, hence
y = 2 acc - S with S the sum of the layer's weights, borders included. With
t = mean - beta sqrt(variance + eps) / gamma:

    gamma > 0:  bit = [y >= t] = [acc >= (t + S) / 2] = [acc >= ceil((t + S) / 2)]
    gamma < 0:  bit = [y <= t] = [acc <= floor((t + S) / 2)] = [-acc >= -floor((t + S) / 2)]
    gamma = 0:  bit = [beta >= 0], a constant

-acc is what the layer computes when its weights change sign, that is when its planes are swapped,
so every engine only ever tests acc >= threshold. In an up-convolution each output comes from one
tap, so S is that tap's sum, and there is one threshold per tap.

The first layer has y = k sum q (pixel - mean) with int8 weights q and a scale k > 0 per channel.
The deployed one computes acc = sum q (pixel - 128), padded with mean - 128, which is larger by
sum q (mean - 128) everywhere; the threshold takes that, and 1 / k, along.

The head has logits = c (sum q s) + b = 2 c (sum q a + (b / c - sum q) / 2): the integer logits are
in units of 2 c. The bias is rounded to such a unit, as it is in training.

A head that reads sums reads r = (y - t) / 2 instead, of a channel with gamma < 0 its negative,
rounded to an integer and clipped. Since y = 2 acc - S, that is acc - (t + S) / 2, or the negative:
acc - threshold, where the threshold is the nearest integer to (t + S) / 2, and of swapped planes to
its negative. Its logits are c (sum q r) + b, in units of c.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mbu_ros.errors import InputError
from mbu_ros.model.deployed import ALWAYS, NEVER, BinaryLayer, FirstLayer, Head
from mbu_ros.model.packing import pack_sources
from mbu_ros.model.structure import UP, LayerShape


@dataclass(frozen=True)
class BatchNorm:
    """Batch norm at inference, arrays [out] of real numbers; `eps` is added to the variance."""

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    eps: float

    def edge(self) -> np.ndarray:
        """t of the module, float64 [out]: the y where the bit changes; not finite for gamma 0."""
        gamma, beta, mean, variance = (
            np.asarray(v, np.float64) for v in (self.gamma, self.beta, self.mean, self.variance)
        )
        with np.errstate(divide='ignore', invalid='ignore'):
            return mean - beta * np.sqrt(variance + self.eps) / gamma

    def check(self, name: str) -> None:
        """Raise InputError unless all parameters are finite."""
        for parameter in (self.gamma, self.beta, self.mean, self.variance):
            if not np.isfinite(parameter).all():
                raise InputError(
                    f'layer {name!r} has parameters that are not finite; its training diverged, '
                    'go back to an earlier checkpoint'
                )


def _thresholds(
    norm: BatchNorm, scale: np.ndarray | float, offset: np.ndarray, *, nearest: bool = False
) -> np.ndarray:
    """Thresholds on the (possibly negated) integer sum, where y = scale * sum - scale * offset.

    `offset` is [out] or [out, taps]; int32 of its shape comes back. `nearest`: what a head that
    reads sums takes from them, else the least sum of a bit that is set.
    """
    flat = [np.asarray(v, np.float64) for v in (norm.gamma, norm.beta, norm.edge())]
    gamma, beta, edge = (v.reshape(v.shape + (1,) * (offset.ndim - 1)) for v in flat)
    edge = edge / np.asarray(scale, np.float64) + offset
    if nearest:
        with np.errstate(invalid='ignore'):  # where gamma is 0
            threshold = np.sign(gamma) * np.rint(edge)
    else:
        threshold = np.where(gamma > 0, np.ceil(edge), -np.floor(edge))
    threshold = np.where(gamma == 0, np.where(beta >= 0, ALWAYS, NEVER), threshold)
    return np.clip(threshold, ALWAYS, NEVER).astype(np.int32)


def fold_first(
    weight: np.ndarray, scale: np.ndarray, mean: tuple[int, int, int], norm: BatchNorm
) -> FirstLayer:
    """Fold the first layer.

    Args:
        weight: int8 [out, 3, 3, 3] (output channel, row, column, RGB), each in [-127, 127].
        scale: float [out], positive: y = scale * sum of weight * (pixel - mean).
        mean: RGB mean of the training images, 0 to 255.
        norm: the batch norm that follows.

    Raises:
        InputError: a parameter is not finite.
    """
    norm.check('encoder.0.conv1')
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise InputError('encoder.0.conv1 has scales that are not positive numbers')
    offset = (weight.astype(np.int64) * (np.array(mean) - 128)).sum(axis=(1, 2, 3))
    negative = norm.gamma < 0
    folded = np.where(negative[:, None, None, None], -weight, weight).astype(np.int8)
    return FirstLayer(folded, _thresholds(norm, scale, offset))


def fold_binary(
    shape: LayerShape,
    weight: np.ndarray,
    planes: int,
    norm: BatchNorm,
    *,
    sums_are_read: bool = False,
) -> BinaryLayer:
    """Fold a convolution or up-convolution.

    Args:
        shape: the layer.
        weight: int8 [out, taps, in] of -1, 0 and +1; without 0 where planes is 1.
        planes: 1 or 2.
        norm: the batch norm that follows.
        sums_are_read: whether the head reads its sums; else its bits count.

    Raises:
        InputError: a parameter is not finite, or a layer of one plane has weights of 0.
    """
    norm.check(shape.name)
    if planes == 1 and not weight.all():
        raise InputError(
            f'layer {shape.name!r} has weights of 0, which one plane cannot hold; give it two '
            'planes in the mask plan'
        )
    axis = 2 if shape.kind == UP else (1, 2)
    # y = 2 acc - S, so in terms of `_thresholds` the scale is 2 and the offset S / 2.
    offset = weight.astype(np.int64).sum(axis=axis) / 2
    threshold = _thresholds(norm, 2.0, offset, nearest=sums_are_read)
    signed = np.where((norm.gamma < 0)[:, None, None], -weight, weight)
    plus, minus = (pack_sources(signed == sign, shape.in_channels) for sign in (1, -1))
    return BinaryLayer(plus, minus if planes == 2 else None, threshold)


def fold_head(
    weight: np.ndarray, scale: float, bias: np.ndarray, lowest: int | None = None
) -> Head:
    """Fold the head.

    Args:
        weight: int8 [classes, in].
        scale: positive: logits = scale * sum of weight * s + bias, s in {-1, +1}, or the clipped
            sums that it reads.
        bias: float [classes].
        lowest: see `Head`.

    Raises:
        InputError: a parameter is not finite.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        exact = np.asarray(bias, np.float64) / scale
        if lowest is None:
            exact, scale = (exact - weight.sum(axis=1, dtype=int)) / 2, 2 * scale
    # Beyond this the integers would not fit; no training that went well comes near.
    if not 0 < scale < np.inf or not (np.abs(exact) < 2**30).all():
        raise InputError(
            'the head has parameters that are not finite or out of range; its training diverged, '
            'go back to an earlier checkpoint'
        )
    return Head(weight, np.rint(exact).astype(np.int32), float(scale), lowest)
