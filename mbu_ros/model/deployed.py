# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The deployed network as data: what a model file holds and every engine runs.

Activations are bits a in {0, 1}. Each binary layer computes, per output channel,

    acc = sum over taps and channels of w * a,  w in {-1, 0, +1},    bit = acc >= threshold

which on bits is popcount(a & plus) - popcount(a & minus) (the subtractive encoding of MBU-Net,
arXiv 2601.11660). Borders are padded with 0. Max pooling is OR. The first layer does the same with
int8 weights on pixel - 128, padded with mean - 128. The head reads the last layer's bits, or how
far its sums are from their thresholds, in int8; it gives int32 logits, and the label is the class
of the highest logit, the lowest such class on a tie.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mbu_ros.data.sample import ClassMap
from mbu_ros.model.packing import unpack_sources
from mbu_ros.model.structure import LayerShape, layer_shapes

ALWAYS = np.iinfo(np.int32).min
"""Threshold of a bit that is always 1."""
NEVER = np.iinfo(np.int32).max
"""Threshold of a bit that is always 0."""
HIGHEST = 127
"""What a head reads at most of a sum."""
LOWEST = (-128, 0)
"""What a head may read at least of a sum."""


@dataclass(frozen=True)
class FirstLayer:
    """3x3 convolution on bytes.

    Attributes:
        weight: int8 [out, 3, 3, 3]: output channel, row, column, RGB.
        threshold: int32 [out].
    """

    weight: np.ndarray
    threshold: np.ndarray


@dataclass(frozen=True)
class BinaryLayer:
    """Convolution (3x3) or up-convolution (2x2, stride 2) on bits.

    Attributes:
        plus: uint32 [out, taps, words], bit set where the weight is +1; see `packing` for the
            order of bits. Taps run row by row.
        minus: the same for -1; None in a layer of one plane, whose other weights are all -1.
        threshold: int32 [out], or [out, 4] for an up-convolution: its four outputs per input come
            from one tap each, and folding gives each tap its own (see `fold`).
    """

    plus: np.ndarray
    minus: np.ndarray | None
    threshold: np.ndarray

    @property
    def planes(self) -> int:
        """1 where weights are -1 or +1, 2 where some may be 0."""
        return 1 if self.minus is None else 2

    def weights(self, shape: LayerShape) -> np.ndarray:
        """Its weights as int8 [out, taps, sum(in_channels)] of -1, 0 and +1."""
        plus = unpack_sources(self.plus, shape.in_channels)
        minus = ~plus if self.minus is None else unpack_sources(self.minus, shape.in_channels)
        return plus.astype(np.int8) - minus.astype(np.int8)


@dataclass(frozen=True)
class Head:
    """1x1 convolution to logits.

    Attributes:
        weight: int8 [classes, in].
        bias: int32 [classes].
        scale: logit of the trained network per unit of the integer logit; only confidence uses it.
        lowest: None: it reads the last layer's bits. Else it reads acc - threshold of that layer
            instead, clipped to [lowest, `HIGHEST`]: -128, or 0, which makes it a ReLU.
    """

    weight: np.ndarray
    bias: np.ndarray
    scale: float
    lowest: int | None = None


@dataclass(frozen=True)
class Model:
    """A deployed network.

    Attributes:
        name: short name for people, such as 'synthetic'.
        classes: what the labels mean.
        input_size: (height, width) at which it was trained, in pixels; frames are resized to it.
        mean: RGB mean of the training images, 0 to 255; also the value of padding.
        width: channels of the first level.
        depth: number of poolings.
        first, layers, head: the parameters; `layers` by name, in running order.
        training: how it was made and how good it was, for people and reports.
    """

    name: str
    classes: ClassMap
    input_size: tuple[int, int]
    mean: tuple[int, int, int]
    width: int
    depth: int
    first: FirstLayer
    layers: dict[str, BinaryLayer]
    head: Head
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def shapes(self) -> tuple[LayerShape, ...]:
        """Shapes of all its layers, first and head included, in running order."""
        return layer_shapes(self.width, self.depth, len(self.classes))

    @property
    def plan(self) -> dict[str, int]:
        """The mask plan: number of planes, 1 or 2, per binary layer."""
        return {name: layer.planes for name, layer in self.layers.items()}
