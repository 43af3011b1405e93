# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The layers of a U-Net of a given width and depth, in the order in which they run.

Everything that needs to know the shape of the network (the file's checks, the engines, the
operation counts) asks here, so that it is written down once.

A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) of depth D has D + 1 encoder levels of two 3x3
convolutions, each level at half the size and twice the channels of the one before, then D decoder
levels, each a 2x2 up-convolution and two 3x3 convolutions that also read the encoder's output of
that level, and a 1x1 head.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST, CONV, UP, HEAD = 'first', 'conv', 'up', 'head'
"""Kinds of layer: 3x3 convolution on bytes, 3x3 on bits, 2x2 stride-2 up-convolution, 1x1 head."""

TAPS = {FIRST: 9, CONV: 9, UP: 4, HEAD: 1}
"""Kernel positions per kind."""


@dataclass(frozen=True)
class LayerShape:
    """One layer.

    Attributes:
        name: such as 'encoder.0.conv2', 'up.3', 'decoder.0.conv1', 'head'.
        kind: FIRST, CONV, UP or HEAD.
        in_channels: channels of each tensor it reads (two for the first conv of a decoder level:
            the skip connection, then the up-convolution's output).
        out_channels: channels it writes.
        level: its input is 2**level times smaller than the frame on each side.
    """

    name: str
    kind: str
    in_channels: tuple[int, ...]
    out_channels: int
    level: int

    @property
    def is_binary(self) -> bool:
        """Whether its weights are bit planes (all but the first convolution and the head)."""
        return self.kind in (CONV, UP)

    @property
    def reads_pooled(self) -> bool:
        """Whether it reads what the encoder level before it pooled."""
        return self.level > 0 and self.name == f'encoder.{self.level}.conv1'

    def is_pooled(self, depth: int) -> bool:
        """Whether its output is pooled too, in a network of this depth."""
        return self.level < depth and self.name == f'encoder.{self.level}.conv2'

    @property
    def weights(self) -> int:
        """Number of weights."""
        return TAPS[self.kind] * sum(self.in_channels) * self.out_channels

    def multiply_adds(self, height: int, width: int) -> int:
        """Multiply-adds of one plane for a frame of height x width (multiples of 2**depth)."""
        return self.weights * (height >> self.level) * (width >> self.level)


def layer_shapes(width: int, depth: int, classes: int) -> tuple[LayerShape, ...]:
    """The layers of a U-Net in running order.

    Args:
        width: channels of the first level; level i has width * 2**i.
        depth: number of poolings.
        classes: output channels of the head.
    """
    layers = []
    for level in range(depth + 1):
        channels = width << level
        if level == 0:
            layers.append(LayerShape('encoder.0.conv1', FIRST, (3,), channels, 0))
        else:
            layers.append(
                LayerShape(f'encoder.{level}.conv1', CONV, (channels // 2,), channels, level)
            )
        layers.append(LayerShape(f'encoder.{level}.conv2', CONV, (channels,), channels, level))
    for level in reversed(range(depth)):
        channels = width << level
        layers.append(LayerShape(f'up.{level}', UP, (channels * 2,), channels, level + 1))
        layers.append(
            LayerShape(f'decoder.{level}.conv1', CONV, (channels, channels), channels, level)
        )
        layers.append(LayerShape(f'decoder.{level}.conv2', CONV, (channels,), channels, level))
    layers.append(LayerShape('head', HEAD, (width,), classes, 0))
    return tuple(layers)


def padded_size(height: int, width: int, depth: int) -> tuple[int, int]:
    """The network's working size for an input size: both rounded up to a multiple of 2**depth.

    An input that is no such multiple is padded with the mean at the bottom and the right, and the
    labels are cropped again.
    """
    unit = 1 << depth
    return -(-height // unit) * unit, -(-width // unit) * unit
