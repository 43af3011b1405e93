# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a model costs, layer by layer: planes, zeros, operations, bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mbu_ros.model.deployed import Model
from mbu_ros.model.structure import FIRST, LayerShape, padded_size


@dataclass(frozen=True)
class LayerCost:
    """One layer.

    Attributes:
        shape: the layer.
        planes: bit planes, 1 or 2; 0 for the int8 layers.
        zeros: share of weights that are 0, in [0, 1].
        operations: for one frame, two per multiply-add, and per plane.
        size: bytes of its parameters in the model file.
    """

    shape: LayerShape
    planes: int
    zeros: float
    operations: int
    size: int


def layer_costs(model: Model) -> list[LayerCost]:
    """Costs of all layers, in running order, at the model's own input size."""
    height, width = padded_size(*model.input_size, model.depth)
    costs = []
    for shape in model.shapes:
        if shape.is_binary:
            layer = model.layers[shape.name]
            arrays = [a for a in (layer.plus, layer.minus, layer.threshold) if a is not None]
            planes, zeros = layer.planes, float((layer.weights(shape) == 0).mean())
        else:
            arrays = (
                [model.first.weight, model.first.threshold]
                if shape.kind == FIRST
                else [model.head.weight, model.head.bias]
            )
            planes, zeros = 0, float(np.mean(arrays[0] == 0))
        operations = 2 * shape.multiply_adds(height, width) * max(1, planes)
        costs.append(
            LayerCost(shape, planes, zeros, operations, sum(a.nbytes for a in arrays))
        )
    return costs
