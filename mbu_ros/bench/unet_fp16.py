# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The U-Net of the same width, depth and classes, ready to deploy as one does without MBU-Net.

It is `network.unet.UNet` at float precision with every batch norm folded into its convolution, the
bytes' normalisation into the first, and the argmax at its end: bytes in, labels out, so that it
does the same work as the engine.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from mbu_ros.model.structure import FIRST, UP, padded_size
from mbu_ros.network.unet import INPUT_SCALE, Layer, UNet


def _folded(layer: Layer) -> nn.Conv2d | nn.ConvTranspose2d:
    """The layer's convolution with its batch norm, and the first with the input's scale too."""
    shape, norm = layer.shape, layer.norm
    up = shape.kind == UP
    weight = layer.weight * INPUT_SCALE if shape.kind == FIRST else layer.weight
    weight, bias = fuse_conv_bn_weights(
        weight,
        None,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=up,
    )
    inputs, outputs = sum(shape.in_channels), shape.out_channels
    convolution = (
        nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        if up
        else nn.Conv2d(inputs, outputs, 3, padding=1)
    )
    convolution.weight, convolution.bias = weight, bias
    return convolution


class FoldedUNet(nn.Module):
    """Bytes to labels.

    Args:
        network: of float precision; its parameters and statistics are copied.
        mean: RGB mean, subtracted from the bytes.
    """

    def __init__(self, network: UNet, mean: tuple[int, int, int]) -> None:
        super().__init__()
        self.depth = network.depth
        self.convolutions = nn.ModuleList(
            _folded(network.layer(shape.name)) for shape in network.shapes[:-1]
        )
        head = network.head.conv
        self.head = nn.Conv2d(head.in_channels, head.out_channels, 1)
        self.head.load_state_dict(head.state_dict())
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).reshape(1, 3, 1, 1))
        # What to do around each convolution, so that the forward pass has no names to look up.
        self._saves = [s.is_pooled(self.depth) for s in network.shapes[:-1]]
        self._joins = [len(s.in_channels) == 2 for s in network.shapes[:-1]]

    def forward(self, frames: Tensor) -> Tensor:
        """Labels, uint8 [N, H, W], of frames, uint8 [N, H, W, 3] RGB."""
        return self.logits(frames).argmax(dim=1).to(torch.uint8)

    def logits(self, frames: Tensor) -> Tensor:
        """Logits [N, classes, H, W] of frames, uint8 [N, H, W, 3] RGB."""
        height, width = frames.shape[1:3]
        rows, columns = padded_size(height, width, self.depth)
        # A view of [N, H, W, 3] as [N, 3, H, W] is channels_last as it is.
        x = frames.permute(0, 3, 1, 2) - self.mean
        if (rows, columns) != (height, width):
            x = functional.pad(x, (0, columns - width, 0, rows - height))
        skips: list[Tensor] = []
        for convolution, saves, joins in zip(self.convolutions, self._saves, self._joins):
            if joins:
                x = torch.cat([skips.pop(), x], dim=1)
            x = functional.relu(convolution(x), inplace=True)
            if saves:
                skips.append(x)
                x = functional.max_pool2d(x, 2)
        return self.head(x)[..., :height, :width]


def build_fp16(width: int, depth: int, classes: int, seed: int = 0) -> FoldedUNet:
    """A U-Net with random weights, in FP16 and channels_last, on the GPU."""
    torch.manual_seed(seed)
    network = FoldedUNet(UNet(width, depth, classes).eval(), (120, 120, 120))
    return network.eval().to('cuda', torch.float16, memory_format=torch.channels_last)
