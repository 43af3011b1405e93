# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the sign of a layer changes, between the sums that can occur.

A quantised layer's sums are integers, so its batch norm and sign amount to one comparison with an
edge, and any edge between the same two integers gives the same bits. One that training left within
1e-4 of an integer is decided by how a GPU rounds, and a network of signs is chaotic: one such
channel of 5000 changes the class of 1% of the pixels. Half an integer away, nothing that a
convolution in float32 does wrong is large enough.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ros.model.structure import FIRST
from mbu_ros.network.quantize import quantize_int8
from mbu_ros.network.unet import INPUT_SCALE, Layer, UNet


@torch.no_grad()
def center_edges(network: UNet) -> None:
    """Move each edge to the middle between two integers, by batch norm's beta.

    The network computes the same, and `deploy` makes the same model of it.

    Args:
        network: at Precision.QUANTIZED, with its final weights and statistics; changed in place.
    """
    for shape in network.shapes[:-1]:
        _center(network.layer(shape.name))


def _center(layer: Layer) -> None:
    norm, unit = layer.norm, _unit(layer)
    gamma, beta, mean, variance = (
        tensor.double() for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    deviation = (variance + norm.eps).sqrt()
    edge = (mean - beta * deviation / gamma) / unit
    # Sums from the edge on are on its far side, above it or, where gamma is negative, below.
    middle = torch.where(gamma > 0, edge.ceil() - 0.5, edge.floor() + 0.5)
    centered = (mean - middle * unit) * gamma / deviation
    # Where gamma is 0 there is no edge.
    norm.bias.copy_(torch.where(gamma == 0, beta, centered))


def _unit(layer: Layer) -> Tensor | float:
    """What the batch norm sees for a sum of 1, per channel."""
    if layer.shape.kind != FIRST:
        return 1.0
    _, scale = quantize_int8(layer.weight, 0)
    return scale.ravel().double() * INPUT_SCALE
