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

from mbu_ros.model.deployed import HIGHEST
from mbu_ros.model.structure import FIRST, HEAD, UP, LayerShape, layer_shapes, padded_size
from mbu_ros.network.masking import MaskPlan
from mbu_ros.network.quantize import (
    MASK_THRESHOLD,
    MAX_THRESHOLD,
    binarize,
    mask_binarize,
    quantize_int8,
    rounded,
    sign,
)

INPUT_SCALE = 1 / 64
"""Bytes less their mean, times this, have about unit size."""

LEAST_UNIT = 1e-6
"""What a sum of 1 is at least to a head that reads sums; less is nothing in int8."""

HEAD_INPUTS = {'bits': None, 'relu': 0, 'sums': -128}
"""What a head reads of the last layer, by name: bits, or the least that it reads of its sums."""


class Precision(Enum):
    """What of the network is quantised."""

    FLOAT = 'float'
    """Nothing: ReLU activations and float weights."""
    BINARY_ACTIVATIONS = 'binary activations'
    """Activations are -1 or +1; hidden weights are float."""
    QUANTIZED = 'quantized'
    """Hidden weights too are -1 and +1, or -1, 0 and +1 where the mask plan has two planes."""


def initial_size(shape: LayerShape) -> float:
    """Standard deviation of a new layer's weights (He et al. 2015, arXiv 1502.01852)."""
    return (2 / (sum(shape.in_channels) * (1 if shape.kind == UP else 9))) ** 0.5


class Layer(nn.Module):
    """One convolution with its batch norm and activation.

    Attributes:
        shape: its place in the network.
        precision: see `Precision`.
        planes: 1 or 2, used when quantised.
        mask_threshold: of its weights of 0, used with two planes; see `quantize.mask_binarize`.
        threshold_gain: logarithm of what each output channel's threshold is times that; 0 unless
            it is learnt.
        activation_gradient: of its sign; a key of `quantize.ACTIVATION_GRADIENTS`.
        head_input: what it hands to the head, if it is the last layer: a key of `HEAD_INPUTS`;
            'bits' of all others.
    """

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.shape = shape
        self.precision = Precision.FLOAT
        self.planes = 2
        self.mask_threshold = MASK_THRESHOLD
        self.activation_gradient = 'quadratic'
        self.head_input = 'bits'
        inputs, outputs = sum(shape.in_channels), shape.out_channels
        # Transposed convolutions hold their weights with the input channel first.
        size = (inputs, outputs, 2, 2) if shape.kind == UP else (outputs, inputs, 3, 3)
        self.weight = nn.Parameter(torch.empty(size))
        nn.init.normal_(self.weight, std=initial_size(shape))
        self.norm = nn.BatchNorm2d(outputs)
        self.threshold_gain = nn.Parameter(torch.zeros(outputs), requires_grad=False)

    @property
    def channel_axis(self) -> int:
        """Axis of the output channel in `weight`."""
        return 1 if self.shape.kind == UP else 0

    def quantized_weight(self, blend: Tensor | None = None) -> Tensor:
        """The weight as it is deployed: -1, 0 and +1, of `weight`'s shape.

        Args:
            blend: 0 to 1 in training: how far from the latent to that weight; see `binarize`.
        """
        axis = self.channel_axis
        if self.planes == 2:
            return mask_binarize(self.weight, axis, self._thresholds(), blend=blend)
        return binarize(self.weight, axis, blend=blend)

    def forward(self, x: Tensor, blend: Tensor | None = None) -> Tensor:
        """[N, in, H, W] to activations [N, out, H, W], or [N, out, 2H, 2W] of an up-convolution.

        `blend` is for `quantized_weight`.
        """
        return self.activate(self.features(x, blend))

    def features(self, x: Tensor, blend: Tensor | None = None) -> Tensor:
        """What `activate` makes activations of: the batch norm's output, of their shape."""
        if self.shape.kind == FIRST:
            return self.norm(self._first(x))
        weight = self.weight
        if self.precision is Precision.QUANTIZED:
            weight = self.quantized_weight(blend)
        if self.shape.kind == UP:
            x = functional.conv_transpose2d(x, weight, stride=2)
        elif self.precision is Precision.FLOAT:
            x = functional.conv2d(x, weight, padding=1)
        else:  # the border is -1, which is the bit 0
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), value=-1.0), weight)
        return self.norm(x)

    def activate(self, features: Tensor) -> Tensor:
        """-1 and +1, or ReLU where nothing is quantised; what a head reads, of the last layer."""
        if self.precision is Precision.FLOAT:
            return functional.relu(features)
        lowest = HEAD_INPUTS[self.head_input]
        if lowest is None:
            return sign(features, self.activation_gradient)
        if self.precision is Precision.BINARY_ACTIVATIONS:  # whose sums are no integers
            return features if lowest else functional.relu(features)
        sums = features.float() / self.unit().reshape(-1, 1, 1)
        return rounded(sums.clamp(lowest, HIGHEST))

    def unit(self) -> Tensor:
        """[out]: how much its features differ where a deployed sum differs by 1; no gradient.

        In training too by batch norm's running variance, which the batch's is near.
        """
        size = 2 * self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        return size.detach().abs().clamp_min(LEAST_UNIT)

    def _thresholds(self) -> Tensor:
        """One per output channel, of the weight's rank."""
        sizes = [1] * self.weight.ndim
        sizes[self.channel_axis] = -1
        thresholds = self.mask_threshold * self.threshold_gain.exp()
        return thresholds.clamp(max=MAX_THRESHOLD).reshape(sizes)

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

    def forward(self, x: Tensor, unit: Tensor | None = None) -> Tensor:
        """[N, in, H, W] to logits [N, classes, H, W].

        Args:
            x: the last layer's activations.
            unit: float [in], of the last layer, where x are sums in those.
        """
        if self.precision is Precision.FLOAT:
            return self.conv(x)
        with torch.autocast(x.device.type, enabled=False):
            weight, scale = self.quantized_weight(unit)
            bias = self.conv.bias / scale.ravel()
            if unit is not None:
                bias = rounded(bias)
            else:  # the deployed bias is an integer in units of 2 scale on bits: see `model.fold`
                total = weight.detach().sum(dim=(1, 2, 3))
                bias = rounded((bias - total) / 2) * 2 + total
            sums = functional.conv2d(x.float(), weight.float()) + bias.reshape(1, -1, 1, 1)
            return sums * scale

    def quantized_weight(self, unit: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `quantize_int8`, of the weights of activations in the units that `forward` has."""
        weight = self.conv.weight
        return quantize_int8(weight if unit is None else weight * unit.reshape(1, -1, 1, 1))


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) with a batch norm after every convolution.

    Args:
        width: channels of the first level.
        depth: number of poolings.
        classes: number of classes.

    Attributes:
        shapes: its layers, the head included, in running order.
        blending: whether quantised weights are blended with the latent ones, in training only.
        blend: how much of the quantised weight is in them, a tensor from 0 to 1; see
            `quantize.binarize`. A tensor, so that a compiled network follows when it changes.
    """

    blend: Tensor

    def __init__(self, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.width, self.depth, self.classes = width, depth, classes
        self.shapes = layer_shapes(width, depth, classes)
        # Module names must not hold dots; `layer` gives a layer by its own name.
        self.layers = nn.ModuleDict(
            {_key(s.name): Layer(s) for s in self.shapes if s.kind != HEAD}
        )
        self.head = Head(self.shapes[-1])
        self.blending = False
        self.register_buffer('blend', torch.ones(()), persistent=False)

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
    def last_layer(self) -> Layer:
        """The one that the head reads."""
        return self.layer(self.shapes[-2].name)

    @property
    def head_unit(self) -> Tensor | None:
        """The unit of the sums that the head reads; None where it does not read integer ones."""
        last = self.last_layer
        integers = last.head_input != 'bits' and last.precision is Precision.QUANTIZED
        return last.unit() if integers else None

    def set_quantizers(
        self,
        *,
        mask_threshold: float | None = None,
        activation_gradient: str | None = None,
        head_input: str | None = None,
    ) -> UNet:
        """Set these attributes of all layers, or of the one that has it; see `Layer`.

        None leaves one as it is.
        """
        if head_input is not None:
            self.last_layer.head_input = head_input
        for layer in self.layers.values():
            if mask_threshold is not None:
                layer.mask_threshold = mask_threshold
            if activation_gradient is not None:
                layer.activation_gradient = activation_gradient
        return self

    def learn_thresholds(self, learn: bool) -> UNet:
        """Whether training changes the mask thresholds of the layers that have two planes."""
        for layer in self.layers.values():
            used = layer.precision is Precision.QUANTIZED and layer.shape.is_binary
            layer.threshold_gain.requires_grad_(learn and used and layer.planes == 2)
        return self

    @property
    def plan(self) -> MaskPlan:
        """Planes per binary layer."""
        return {s.name: self.layer(s.name).planes for s in self.shapes if s.is_binary}

    def forward(
        self, x: Tensor, features: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Logits of images.

        Args:
            x: float [N, 3, H, W], RGB bytes less the data's mean (not scaled), any H and W. It is
                padded with 0, the mean, at the bottom and right to multiples of 2**depth.
            features: whether to return what each batch norm gives, too.

        Returns:
            float [N, classes, H, W]; with `features` also a list of [N, channels, height, width] of
            the padded size over 2**level, one of each layer but the head, in running order.
        """
        height, width = x.shape[-2:]
        rows, columns = padded_size(height, width, self.depth)
        x = functional.pad(x, (0, columns - width, 0, rows - height))
        blend = self.blend if self.blending else None
        skips: list[Tensor] = []
        seen: list[Tensor] = []
        for shape in self.shapes[:-1]:
            if shape.reads_pooled:
                skips.append(x)
                x = functional.max_pool2d(x, 2)
            elif len(shape.in_channels) == 2:
                x = torch.cat([skips.pop(), x], dim=1)
            layer = self.layer(shape.name)
            if features:
                seen.append(layer.features(x, blend))
                x = layer.activate(seen[-1])
            else:
                x = layer(x, blend)
        logits = self.head(x, self.head_unit)[..., :height, :width]
        return (logits, seen) if features else logits


def _key(name: str) -> str:
    return name.replace('.', '_')
