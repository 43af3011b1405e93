# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the sign of a layer changes, between the sums that can occur.

A quantised layer's sums are integers, so its batch norm and sign amount to one comparison with an
edge, and any edge between the same two integers gives the same bits. One that training left within
1e-4 of an integer is decided by how a GPU rounds, and a network of signs is chaotic: one such
channel of 5000 changes the class of 1% of the pixels. Half an integer away, nothing that a
convolution in float32 does wrong is large enough.

A head that reads sums reads the integer that is nearest to how far a sum is from the edge. There
edges that are at integers themselves give the same, and are the farthest from being rounded
otherwise.
"""

from __future__ import annotations

import numpy as np
import torch

from mbu_ros.model.fold import BatchNorm
from mbu_ros.model.structure import FIRST
from mbu_ros.network.deploy import batch_norm
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
        layer = network.layer(shape.name)
        beta = _centered_beta(batch_norm(layer), _unit(layer), _read_offset(layer))
        layer.norm.bias.copy_(torch.from_numpy(beta))


def _centered_beta(
    norm: BatchNorm, unit: np.ndarray | float, read_offset: np.ndarray | None
) -> np.ndarray:
    """Beta with the edge halfway between two multiples of the unit, or at a sum that is read."""
    edge = norm.edge() / unit
    if read_offset is not None:
        middle = 2 * np.rint((edge + read_offset) / 2) - read_offset
    else:
        # Sums from the edge on are on its far side, above it or, where gamma is negative, below.
        middle = np.where(norm.gamma > 0, np.ceil(edge) - 0.5, np.floor(edge) + 0.5) * unit
    with np.errstate(invalid='ignore'):
        centered = (norm.mean - middle) * norm.gamma / np.sqrt(norm.variance + norm.eps)
    # Where gamma is 0 there is no edge.
    return np.where(norm.gamma == 0, norm.beta, centered)


def _read_offset(layer: Layer) -> np.ndarray | None:
    """Where a head reads the layer's sums, S of `model.fold`: deployed sums are (y + S) / 2."""
    if layer.head_input == 'bits':
        return None
    return layer.quantized_weight().sum(dim=(1, 2, 3)).double().cpu().numpy()


def _unit(layer: Layer) -> np.ndarray | float:
    """What the batch norm sees for a sum of 1, per channel."""
    if layer.shape.kind != FIRST:
        return 1.0
    _, scale = quantize_int8(layer.weight, 0)
    return scale.double().cpu().numpy().ravel() * INPUT_SCALE
