# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hands a trained network's parameters to `model.fold` and puts the deployed model together."""

from __future__ import annotations

import numpy as np
import torch

from mbu_ros.data.sample import ClassMap
from mbu_ros.model.deployed import Model
from mbu_ros.model.fold import BatchNorm, fold_binary, fold_first, fold_head
from mbu_ros.model.structure import FIRST, TAPS, UP
from mbu_ros.network.quantize import quantize_int8
from mbu_ros.network.unet import HEAD_INPUTS, INPUT_SCALE, Layer, UNet


@torch.no_grad()
def deploy(
    network: UNet,
    *,
    name: str,
    classes: ClassMap,
    input_size: tuple[int, int],
    mean: tuple[int, int, int],
    training: dict,
) -> Model:
    """The deployed model of a trained network at Precision.QUANTIZED.

    Args:
        network: the trained network, on any device.
        name, classes, input_size, mean, training: see `model.deployed.Model`.

    Raises:
        InputError: parameters are not finite.
    """
    first, layers = None, {}
    for shape in network.shapes[:-1]:
        layer = network.layer(shape.name)
        norm = batch_norm(layer)
        if shape.kind == FIRST:
            weight, scale = quantize_int8(layer.weight, 0)
            ohwi = _numpy(weight).round().astype(np.int8).transpose(0, 2, 3, 1)
            first = fold_first(ohwi, _numpy(scale).ravel() * INPUT_SCALE, mean, norm)
            continue
        weight = _numpy(layer.quantized_weight()).round().astype(np.int8)
        # [in, out, row, column] or [out, in, row, column] to [out, taps, in]
        weight = weight.transpose((1, 2, 3, 0) if shape.kind == UP else (0, 2, 3, 1))
        weight = weight.reshape(shape.out_channels, TAPS[shape.kind], -1)
        layers[shape.name] = fold_binary(
            shape, weight, layer.planes, norm, sums_are_read=layer.head_input != 'bits'
        )
    weight, scale = network.head.quantized_weight(network.head_unit)
    return Model(
        name=name,
        classes=classes,
        input_size=input_size,
        mean=mean,
        width=network.width,
        depth=network.depth,
        first=first,
        layers=layers,
        head=fold_head(
            _numpy(weight).round().astype(np.int8)[:, :, 0, 0],
            float(scale),
            _numpy(network.head.conv.bias),
            HEAD_INPUTS[network.last_layer.head_input],
        ),
        training=training,
    )


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()


def batch_norm(layer: Layer) -> BatchNorm:
    """That of a layer, in float64."""
    norm = layer.norm
    return BatchNorm(
        _numpy(norm.weight),
        _numpy(norm.bias),
        _numpy(norm.running_mean),
        _numpy(norm.running_var),
        norm.eps,
    )
