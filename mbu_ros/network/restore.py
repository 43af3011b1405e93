# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way back from a deployed model: a network that computes the same, and can learn on.

A model file holds weights of -1, 0 and +1 and integer thresholds, not the latent weights and batch
norms that they came from. Any latent weights of the right signs, and any batch norm whose edge lies
between the same two integers, give the same network. Chosen are:

- latent weights as large as random ones of a new network are where they are beyond the mask
  threshold, and 0 where the weight is 0: steps of the usual learning rate then change as much as in
  a network that was never deployed;
- gamma 1, and the mean and variance that sums have on real frames, so that training, which takes
  batch norm's statistics of each batch, begins with nearly the same bits. Beta then is what puts
  the edge half an integer below the threshold, or, where the head reads the sums, at it (see
  `model.fold` for the algebra).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from mbu_ros.errors import InputError
from mbu_ros.model.deployed import ALWAYS, NEVER, Model
from mbu_ros.model.structure import FIRST, UP
from mbu_ros.network.unet import (
    HEAD_INPUTS,
    INPUT_SCALE,
    Layer,
    Precision,
    UNet,
    initial_size,
)

KEPT_SIZE = 1.1
"""Mean size of normally distributed weights that are beyond 0.7 times the mean size of all."""


@torch.no_grad()
def restore(
    model: Model,
    batches: Iterable[Tensor],
    *,
    mean: tuple[int, int, int],
    classes: int,
    keep_head: bool = True,
    device: torch.device | str = 'cpu',
) -> UNet:
    """A network that `deploy` makes the model of again, as far as the model's own mean is kept.

    Args:
        model: what to start from.
        batches: some of frames to learn from, as `UNet.forward` takes them, on the device.
        mean: RGB mean of those frames, which is subtracted from them. Where it is not the model's
            the first layer takes the difference along; only the frame's outermost pixels, which
            see the padding, may then differ.
        classes: number of classes.
        keep_head: whether classes mean what they mean to the model; else the head is new.
        device: where the network is to be.

    Returns:
        At Precision.QUANTIZED and the model's plan, in `eval`.

    Raises:
        InputError: there is no batch.
    """
    network = UNet(model.width, model.depth, classes)
    network.set_precision(Precision.QUANTIZED, model.plan)
    (head_input,) = (key for key, lowest in HEAD_INPUTS.items() if lowest == model.head.lowest)
    network.set_quantizers(head_input=head_input)
    edges = {}
    for shape in network.shapes[:-1]:
        layer = network.layer(shape.name)
        if shape.kind == FIRST:
            edges[shape.name] = _restore_first(layer, model, mean)
        else:
            edges[shape.name] = _restore_binary(layer, model)
    network.to(device, memory_format=torch.channels_last).eval()
    _measure(network, batches, edges)
    if keep_head:
        _restore_head(network, model)
    return network


def _restore_first(layer: Layer, model: Model, mean: tuple[int, int, int]) -> Tensor:
    """Set the weights; returns the edges of the sums that the batch norm sees."""
    weight = model.first.weight.astype(np.int64)
    # Its int8 scale is its largest weight over 127, which is 127 where training made it.
    size = initial_size(layer.shape) / np.sqrt(np.square(weight).mean(axis=(1, 2, 3))).clip(1e-6)
    scaled = weight * size[:, None, None, None]
    layer.weight.copy_(torch.from_numpy(scaled.transpose(0, 3, 1, 2)))
    offset = (weight * (np.array(mean) - 128)).sum(axis=(1, 2, 3))
    edge = (model.first.threshold.astype(np.int64) - offset - 0.5) * size * INPUT_SCALE
    return _constant_where(edge, model.first.threshold)


def _restore_binary(layer: Layer, model: Model) -> Tensor:
    """As `_restore_first`."""
    shape = layer.shape
    binary = model.layers[shape.name]
    weight = binary.weights(shape)  # [out, taps, in]
    latent = KEPT_SIZE * initial_size(shape) * weight
    latent = latent.reshape(len(weight), *layer.weight.shape[2:], -1)
    latent = latent.transpose((3, 0, 1, 2) if shape.kind == UP else (0, 3, 1, 2))
    layer.weight.copy_(torch.from_numpy(latent))
    threshold = binary.threshold.astype(np.int64)
    total = weight.astype(np.int64).sum(axis=2 if shape.kind == UP else (1, 2))
    edge = 2 * threshold - total
    if shape.kind == UP:  # what one batch norm made four thresholds of is below all four
        edge, threshold = edge.min(axis=1), threshold[:, 0]
    if layer.head_input == 'bits':
        edge = edge - 0.5
    return _constant_where(edge, threshold)


def _constant_where(edge: np.ndarray, threshold: np.ndarray) -> Tensor:
    """The edges, infinite where the bit is a constant."""
    edge = np.where(threshold == ALWAYS, -np.inf, np.where(threshold == NEVER, np.inf, edge))
    return torch.from_numpy(edge)


def _restore_head(network: UNet, model: Model) -> None:
    """Logits are those of the model, in its own scale."""
    head, conv = model.head, network.head.conv
    weight = torch.from_numpy(head.weight.astype(np.float32)).to(conv.weight.device)
    unit = network.head_unit
    if unit is None:
        weight, scale = weight / 2, head.scale / 2
        bias = 2.0 * head.bias + head.weight.sum(axis=1, dtype=np.int64)
    else:
        weight, scale, bias = weight / unit, head.scale, head.bias
    conv.weight.copy_(weight[:, :, None, None] * head.scale)
    conv.bias.copy_(torch.from_numpy(bias * scale))


def _measure(network: UNet, batches: Iterable[Tensor], edges: dict[str, Tensor]) -> None:
    """Put batch norms on their edges, and then around the statistics of what they see."""
    device = network.head.conv.weight.device
    seen = {name: _Statistics() for name in edges}
    hooks = []
    for name, edge in edges.items():
        norm = network.layer(name).norm
        edge = edges[name] = edge.to(device)
        constant = edge.isinf()
        norm.running_mean.copy_(edge.where(~constant, torch.zeros_like(edge)))
        norm.running_var.fill_(1.0)
        norm.weight.copy_((~constant).to(norm.weight.dtype))
        norm.bias.copy_(torch.where(constant, -edge.sign(), torch.zeros_like(edge)))
        hooks.append(norm.register_forward_pre_hook(seen[name].add))
    for batch in batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    for name, edge in edges.items():
        norm, (mean, variance) = network.layer(name).norm, seen[name].moments()
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        beta = (mean - edge) / (variance + norm.eps).sqrt()
        norm.bias.copy_(torch.where(edge.isinf(), norm.bias.double(), beta))


class _Statistics:
    """Mean and variance per channel of what a batch norm is given."""

    def __init__(self) -> None:
        self._moments: list[tuple[Tensor, Tensor]] = []

    def add(self, _norm: torch.nn.Module, inputs: tuple[Tensor]) -> None:
        """One batch."""
        values = inputs[0].double()
        self._moments.append((values.mean((0, 2, 3)), values.square().mean((0, 2, 3))))

    def moments(self) -> tuple[Tensor, Tensor]:
        """Of all batches, each counting the same."""
        if not self._moments:
            raise InputError('there are no frames to measure what the layers of a model see')
        mean, square = (torch.stack(values).mean(0) for values in zip(*self._moments))
        variance = square - mean.square()
        # A channel that never varies would have a beta without bounds.
        return mean, variance.clamp_min(1e-4 * (1 + square))
