# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The U-Net in PyTorch, of any width, depth and number of classes, at any of three precisions.

One definition serves as the float teacher, the network of the training stage between, and the
masked binary network that is deployed; `set_precision` switches, and the parameters stay.
"""

from __future__ import annotations

from enum import Enum

import torch
from torch import Tensor, nn
from torch.nn import functional

from mbu_ros.model.structure import FIRST, HEAD, UP, LayerShape, layer_shapes, padded_size
from mbu_ros.network.masking import MaskPlan
from mbu_ros.network.quantize import binarize, mask_binarize, quantize_int8, sign

INPUT_SCALE = 1 / 64
"""Bytes less their mean, times this, have about unit size."""


class Precision(Enum):
    """What of the network is quantised."""

    FLOAT = 'float'
    """Nothing: ReLU activations and float weights."""
    BINARY_ACTIVATIONS = 'binary activations'
    """Activations are -1 or +1; hidden weights are float."""
    QUANTIZED = 'quantized'
    """Hidden weights too are -1 and +1, or -1, 0 and +1 where the mask plan has two planes."""


class Layer(nn.Module):
    """One convolution with its batch norm and activation.

    Attributes:
        shape: its place in the network.
        precision: see `Precision`.
        planes: 1 or 2, used when quantised.
    """

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.shape = shape
        self.precision = Precision.FLOAT
        self.planes = 2
        inputs, outputs = sum(shape.in_channels), shape.out_channels
        # Transposed convolutions hold their weights with the input channel first.
        size = (inputs, outputs, 2, 2) if shape.kind == UP else (outputs, inputs, 3, 3)
        self.weight = nn.Parameter(torch.empty(size))
        nn.init.normal_(self.weight, std=(2 / (inputs * (1 if shape.kind == UP else 9))) ** 0.5)
        self.norm = nn.BatchNorm2d(outputs)

    @property
    def channel_axis(self) -> int:
        """Axis of the output channel in `weight`."""
        return 1 if self.shape.kind == UP else 0

    def quantized_weight(self) -> Tensor:
        """The weight as it is deployed: -1, 0 and +1, of `weight`'s shape."""
        quantizer = mask_binarize if self.planes == 2 else binarize
        return quantizer(self.weight, self.channel_axis)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] to [N, out, H, W], or [N, out, 2H, 2W] for an up-convolution."""
        binary = self.precision is not Precision.FLOAT
        if self.shape.kind == FIRST:
            x = self._first(x)
        else:
            weight = (
                self.quantized_weight() if self.precision is Precision.QUANTIZED else self.weight
            )
            if self.shape.kind == UP:
                x = functional.conv_transpose2d(x, weight, stride=2)
            elif binary:  # the border is -1, which is the bit 0
                x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), value=-1.0), weight)
            else:
                x = functional.conv2d(x, weight, padding=1)
        x = self.norm(x)
        return sign(x) if binary else functional.relu(x)

    def _first(self, x: Tensor) -> Tensor:
        if self.precision is Precision.FLOAT:
            return functional.conv2d(x * INPUT_SCALE, self.weight, padding=1)
        # In float32, where these sums of integers are exact: the deployed layer has the same ones.
        with torch.autocast(x.device.type, enabled=False):
            weight, scale = quantize_int8(self.weight, 0)
            sums = functional.conv2d(x.float(), weight.float(), padding=1)
            return sums * (scale.reshape(1, -1, 1, 1) * INPUT_SCALE)


class Head(nn.Module):
    """1x1 convolution to class logits."""

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.precision = Precision.FLOAT
        self.conv = nn.Conv2d(sum(shape.in_channels), shape.out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] to logits [N, classes, H, W]."""
        if self.precision is Precision.FLOAT:
            return self.conv(x)
        with torch.autocast(x.device.type, enabled=False):
            weight, scale = quantize_int8(self.conv.weight)
            # The deployed bias is an integer b in units of 2 scale on bits: see `model.fold`.
            total = weight.detach().sum(dim=(1, 2, 3))
            exact = (self.conv.bias / scale.ravel() - total) / 2
            bias = (exact + (exact.round() - exact).detach()) * 2 + total
            sums = functional.conv2d(x.float(), weight.float()) + bias.reshape(1, -1, 1, 1)
            return sums * scale


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) with a batch norm after every convolution.

    Args:
        width: channels of the first level.
        depth: number of poolings.
        classes: number of classes.

    Attributes:
        shapes: its layers, the head included, in running order.
    """

    def __init__(self, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.width, self.depth, self.classes = width, depth, classes
        self.shapes = layer_shapes(width, depth, classes)
        # Module names must not hold dots; `layer` gives a layer by its own name.
        self.layers = nn.ModuleDict(
            {_key(s.name): Layer(s) for s in self.shapes if s.kind != HEAD}
        )
        self.head = Head(self.shapes[-1])

    def layer(self, name: str) -> Layer:
        """The layer called `name` in `shapes`."""
        return self.layers[_key(name)]

    def set_precision(self, precision: Precision, plan: MaskPlan | None = None) -> UNet:
        """Switch what is quantised; the plan (default: the present one) counts when quantised."""
        for layer in self.layers.values():
            layer.precision = precision
            if plan is not None and layer.shape.is_binary:
                layer.planes = plan[layer.shape.name]
        self.head.precision = precision
        return self

    @property
    def plan(self) -> MaskPlan:
        """Planes per binary layer."""
        return {s.name: self.layer(s.name).planes for s in self.shapes if s.is_binary}

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images.

        Args:
            x: float [N, 3, H, W], RGB bytes less the data's mean (not scaled), any H and W. It is
                padded with 0, the mean, at the bottom and right to multiples of 2**depth.

        Returns:
            float [N, classes, H, W].
        """
        height, width = x.shape[-2:]
        rows, columns = padded_size(height, width, self.depth)
        x = functional.pad(x, (0, columns - width, 0, rows - height))
        skips: list[Tensor] = []
        for shape in self.shapes[:-1]:
            if shape.reads_pooled:
                skips.append(x)
                x = functional.max_pool2d(x, 2)
            elif len(shape.in_channels) == 2:
                x = torch.cat([skips.pop(), x], dim=1)
            x = self.layer(shape.name)(x)
        return self.head(x)[..., :height, :width]


def _key(name: str) -> str:
    return name.replace('.', '_')
