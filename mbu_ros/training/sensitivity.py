# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one layer does to the loss: with a second plane or without, and quantised alone or not.

Every measurement is of a copy, so the network that is given stays as it is, to the last bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor
from torch.nn import functional

from mbu_ros.network.masking import MaskPlan
from mbu_ros.network.quantize import sign
from mbu_ros.network.unet import Layer, Precision, UNet

Loss = Callable[[UNet], float]
"""A network's loss, as it is: the mean over frames that are always the same."""
Adapt = Callable[[UNet], object]
"""Makes a network fit a change, in place: settles its batch norm, may train it for a few steps."""
LayerMeasured = Callable[[str, float], object]
"""Called with a layer's name and its figure."""


def measure_gains(
    network: UNet,
    base_plan: MaskPlan,
    loss: Loss,
    adapt: Adapt,
    report: LayerMeasured = lambda layer, gain: None,
) -> dict[str, float]:
    """How much the loss falls when a layer has a second plane, of each binary layer alone.

    The base plan gives the side it is measured from: of a layer with two planes one is taken away,
    to a layer with one a second is given, while all others keep theirs. So a network trained with
    two planes everywhere tells what each layer would lose, one trained with one plane everywhere
    what each would win.

    Args:
        network: trained with the base plan; its precision does not matter.
        base_plan: planes per binary layer.
        loss, adapt: applied to copies of the network, one with the base plan and one for each
            layer. All are adapted, so that more training alone is no gain; `adapt` should do the
            same to each, in the same order of frames.

    Returns:
        By layer in running order: loss with one plane less loss with two.
    """

    def measured(plan: MaskPlan) -> float:
        trial = copy.deepcopy(network).set_precision(Precision.QUANTIZED, plan)
        adapt(trial)
        return loss(trial)

    base = measured(base_plan)
    gains = {}
    for name, planes in base_plan.items():
        other = measured({**base_plan, name: 1 if planes == 2 else 2})
        gains[name] = other - base if planes == 2 else base - other
        report(name, gains[name])
    return gains


def quantization_sensitivity(
    network: UNet,
    planes: int,
    loss: Loss,
    adapt: Adapt,
    report: LayerMeasured = lambda layer, rise: None,
) -> dict[str, float]:
    """How much the float network's loss rises when one binary layer alone is quantised.

    What 'alone' means: the layer sees the signs of its inputs, and its weights are quantised; every
    other layer, those that read the same inputs among them, and what this layer gives on are float.
    - Signs: a float layer gives on ReLU(y), of which +1 where it is above 0 and -1 elsewhere are
      the signs of y, that is the bits of the deployed network. Pooling before or after makes no
      difference: the largest is above 0 where any is. So the input is turned into signs at this
      layer's door, and a skip connection that branches off before it stays float.
    - Scale: signs and weights of size 1 give sums far larger than the float ones. The layer's
      batch norm divides by their spread once `adapt` has settled it, so no factors are needed; nor
      do signs need an offset, since batch norm takes away the mean. Only at the frame's border do
      they differ: it is padded with -1, as in the deployed network.
    - Output: ReLU, not the sign, which belongs to the layers that read it.

    Args:
        network: a trained float network.
        planes: 1 for weights -1 and +1; 2 for 0 as well.
        loss, adapt: as for `measure_gains`.

    Returns:
        By layer in running order: loss with that layer quantised less loss of the float network.
    """

    def measured(name: str | None) -> float:
        trial = copy.deepcopy(network).set_precision(Precision.FLOAT)
        if name is not None:
            _quantize_alone(trial.layer(name), planes)
        adapt(trial)
        return loss(trial)

    base = measured(None)
    rises = {}
    for name in network.plan:
        rises[name] = measured(name) - base
        report(name, rises[name])
    return rises


class _LayerAlone(Layer):
    """A quantised layer of a float network; `quantization_sensitivity` says what that means."""

    def features(self, x: Tensor, blend: Tensor | None = None) -> Tensor:
        # -sign(-x), because 0, of which ReLU gives many, stands for a negative number here.
        return super().features(-sign(-x), blend)

    def activate(self, features: Tensor) -> Tensor:
        return functional.relu(features)


def _quantize_alone(layer: Layer, planes: int) -> None:
    layer.precision, layer.planes = Precision.QUANTIZED, planes
    layer.__class__ = _LayerAlone  # with all that it holds, and in its place


def rank_correlation(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Spearman's rank correlation in [-1, 1] of two figures of the same layers.

    1: both order the layers alike. NaN where one of them is the same for all layers.
    """
    ranks = np.stack([_ranks([figures[name] for name in first]) for figures in (first, second)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt((ranks**2).sum(axis=1).prod())
    return float(ranks.prod(axis=0).sum() / spread) if spread else float('nan')


def uniformity(rises: Mapping[str, float]) -> dict[str, float | None]:
    """How alike the layers are: 'mean', 'least', 'median', 'most', and 'variation'.

    The last is the standard deviation over the mean: 0 where all are the same; None where the mean
    is not above 0.
    """
    values = np.array(list(rises.values()))
    mean = float(values.mean())
    return {
        'mean': mean,
        'least': float(values.min()),
        'median': float(np.median(values)),
        'most': float(values.max()),
        'variation': float(values.std()) / mean if mean > 0 else None,
    }


def _ranks(values: list[float]) -> np.ndarray:
    """Ranks from 0; equals share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts + 1) / 2)[inverse]
