# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters in the order in which the kernels read them.

On the GPU a tensor has its channels padded to 64 or to a multiple of 128; padding is always 0. What
a step of the product multiplies, and why the two planes can share a sum, is told at the top of
kernels/schedule.cuh; how columns are ordered, in kernels/result.cuh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mbu_ros.model.deployed import BinaryLayer, FirstLayer, Head, Model
from mbu_ros.model.packing import unpack_sources
from mbu_ros.model.structure import TAPS, UP, LayerShape

CHUNK = 128
"""Channels in one half of a step, 16 bytes."""
STEP_BYTES = 32
"""Bytes of weights of one output column in one step."""
LIMIT = 1 << 29
"""Thresholds are cut to this size, which no sum reaches, so that sums with them stay in int32."""

TERNARY, TERNARY64, BINARY, BINARY128 = 'ternary', 'ternary64', 'binary', 'binary128'


def padded_channels(channels: int) -> int:
    """Channels of a tensor on the GPU: 64, or the next multiple of 128."""
    return 64 if channels <= 64 else -(-channels // CHUNK) * CHUNK


def pixel_bytes(channels: int) -> int:
    """Bytes of one pixel of a tensor of so many channels."""
    return padded_channels(channels) // 8


def padding_word(model: Model) -> int:
    """The pixel that pads: int8 (R - 128, G - 128, B - 128, 0) of the mean, as a C int."""
    channels = np.array([*model.mean, 128]) - 128
    return int(channels.astype(np.int8).view('<i4')[0])


@dataclass(frozen=True)
class Product:
    """A binary layer as a matrix product.

    Attributes:
        operand: TERNARY, TERNARY64, BINARY or BINARY128; see kernels/schedule.cuh.
        taps: kernel positions that one output sums over: 9, or 1 for an up-convolution.
        chunks: chunks of its input channels.
        columns: output channels, padded; of an up-convolution those of each tap.
    """

    operand: str
    taps: int
    chunks: int
    columns: int

    @property
    def stage_chunks(self) -> int:
        """Chunks in one stage of the input ring."""
        if self.operand == BINARY:
            return 2
        return 2 if self.operand == TERNARY and self.taps == 1 and self.chunks % 2 == 0 else 1

    @property
    def takes_two_taps(self) -> bool:
        """Whether the two halves of a step are two taps."""
        return self.operand in (TERNARY64, BINARY128)

    @property
    def steps(self) -> int:
        """Steps of 256 bits in the whole product."""
        if self.takes_two_taps:
            return self.chunks * -(-self.taps // 2)
        return self.chunks * self.taps // (2 if self.operand == BINARY else 1)

    @property
    def weight_steps(self) -> int:
        """Steps in one stage of the weight ring."""
        if self.taps == 9 and not self.takes_two_taps:
            return 3
        return self.steps * self.stage_chunks // self.chunks

    @property
    def counts_bits(self) -> bool:
        """Whether the set bits of each window are counted (one plane)."""
        return self.operand in (BINARY, BINARY128)


def product_of(shape: LayerShape, planes: int) -> Product:
    """How a binary layer of this shape and number of planes is multiplied."""
    channels = sum(padded_channels(channels) for channels in shape.in_channels)
    up = shape.kind == UP
    columns = padded_channels(shape.out_channels) * (TAPS[UP] if up else 1)
    chunks = -(-channels // CHUNK)
    if channels == 64:
        operand = TERNARY64  # one plane too: its complement as the other costs nothing more
    elif planes == 2:
        operand = TERNARY
    else:
        operand = BINARY if chunks % 2 == 0 else BINARY128
    return Product(operand, 1 if up else TAPS[shape.kind], chunks, columns)


def column_order(columns: int, warp_columns: int) -> np.ndarray:
    """Which output channel each column of a product of `columns` is.

    A warp computes `warp_columns` of them; its column 8 j + 2 t + e is its channel
    (warp_columns / 4) t + 2 j + e.
    """
    j, t, e = np.meshgrid(np.arange(warp_columns // 8), np.arange(4), np.arange(2), indexing='ij')
    own = (warp_columns // 4 * t + 2 * j + e).reshape(-1)
    return (np.arange(0, columns, warp_columns)[:, None] + own).reshape(-1)


def pack_weights(
    layer: BinaryLayer, shape: LayerShape, columns: int, warp_columns: int
) -> np.ndarray:
    """Weights of a binary layer: uint8 [slice][step][half][column][16].

    Args:
        columns: columns of one slice (64 or 128).
        warp_columns: columns of one warp.
    """
    product = product_of(shape, layer.planes)
    plus, minus = (_padded_plane(plane, shape) for plane in _planes(layer, shape))
    if product.operand == TERNARY64:
        both = np.concatenate([plus[..., :64], minus[..., :64]], axis=-1)
        halves = _tap_pairs(both[:, :, None, :])
    else:
        plus, minus = (
            plane.reshape(*plane.shape[:2], product.chunks, CHUNK) for plane in (plus, minus)
        )
        if product.operand == TERNARY:  # [columns, taps, chunks, half, 128]
            halves = np.stack([plus, minus], axis=3)
        elif product.operand == BINARY:
            halves = plus.reshape(*plus.shape[:2], product.chunks // 2, 2, CHUNK)
        else:
            halves = _tap_pairs(plus)
    # Chunk by chunk, tap by tap.
    halves = halves.transpose(2, 1, 3, 0, 4).reshape(product.steps, 2, product.columns, CHUNK)
    packed = np.packbits(halves, axis=-1, bitorder='little')
    slices = packed.reshape(product.steps, 2, -1, columns, CHUNK // 8)
    slices = slices[:, :, :, column_order(columns, warp_columns)]
    return np.ascontiguousarray(slices.transpose(2, 0, 1, 3, 4))


def pack_offsets(
    layer: BinaryLayer, shape: LayerShape, columns: int, warp_columns: int
) -> np.ndarray:
    """Where sums start, or what is added to them: minus the thresholds, int32 [slice][column].

    On two planes, popcount(a & minus) is computed as popcount(minus) - popcount(~a & minus), so
    that the threshold grows by popcount(minus).
    """
    product = product_of(shape, layer.planes)
    up = shape.kind == UP
    threshold = layer.threshold.astype(np.int64).reshape(shape.out_channels, -1)
    if not product.counts_bits:
        minus = _planes(layer, shape)[1]
        threshold = threshold + (minus.sum(axis=2) if up else minus.sum(axis=(1, 2))[:, None])
    padded = np.full((padded_channels(shape.out_channels), threshold.shape[1]), LIMIT, np.int64)
    padded[: shape.out_channels] = np.clip(threshold, -LIMIT, LIMIT)
    # [out, taps] to columns ordered tap by tap.
    slices = -padded.T.reshape(-1, columns)
    return np.ascontiguousarray(slices[:, column_order(columns, warp_columns)], dtype=np.int32)


def pack_first(first: FirstLayer) -> tuple[np.ndarray, np.ndarray]:
    """First convolution: fragments uint32 [slice][column tile][kernel row][lane] and offsets.

    Lane 4 g + t holds, of column g of an 8-column tile, the four bytes of pixel t of a kernel row:
    R, G, B and 0; pixel 3 is all 0.
    """
    out = len(first.weight)
    slices = padded_channels(out) // 64
    weight = np.zeros((slices * 64, 3, 4, 4), np.int8)
    weight[:out, :, :3, :3] = first.weight
    weight = weight.reshape(slices, 64, 3, 4, 4)[:, column_order(64, 64)]
    fragments = weight.reshape(slices, 8, 8, 3, 4, 4).transpose(0, 1, 3, 2, 4, 5)
    threshold = np.full(slices * 64, LIMIT, np.int64)
    threshold[:out] = np.clip(first.threshold.astype(np.int64), -LIMIT, LIMIT)
    offsets = -threshold.reshape(slices, 64)[:, column_order(64, 64)]
    return (
        np.ascontiguousarray(fragments).view('<u4').reshape(slices, 8, 3, 32),
        np.ascontiguousarray(offsets, dtype=np.int32),
    )


def pack_head(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Head: fragments uint32 [class tile][K step of 32][2][lane] and bias int32 [8 * class tiles].

    Where the head reads bits the kernel's operand is bit - 1, so the bias takes up the sum of the
    weights. Lane 4 g + t holds of class g of a tile the weights of the channels that thread t of
    four has.
    """
    classes, channels = head.weight.shape
    columns = padded_channels(channels)
    tiles = -(-classes // 8)
    weight = np.zeros((tiles * 8, columns), np.int8)
    weight[:classes, :channels] = head.weight
    # Channel (columns / 4) t + 8 step + 4 half + byte.
    parts = weight.reshape(tiles, 8, 4, columns // 32, 2, 4).transpose(0, 3, 4, 1, 2, 5)
    bias = np.full(tiles * 8, np.iinfo(np.int32).min, np.int64)
    bias[:classes] = head.bias
    if head.lowest is None:
        bias[:classes] += head.weight.astype(np.int64).sum(axis=1)
    return (
        np.ascontiguousarray(parts).view('<u4').reshape(tiles, columns // 32, 2, 32),
        bias.astype(np.int32),
    )


def _planes(layer: BinaryLayer, shape: LayerShape) -> tuple[np.ndarray, np.ndarray]:
    """Both planes as bool [out, taps, sum(in_channels)]."""
    plus = unpack_sources(layer.plus, shape.in_channels)
    if layer.minus is None:
        return plus, ~plus
    return plus, unpack_sources(layer.minus, shape.in_channels)


def _padded_plane(plane: np.ndarray, shape: LayerShape) -> np.ndarray:
    """A plane with every source and the output padded: bool [columns, taps summed over, channels].

    An up-convolution's taps become columns, tap by tap.
    """
    parts = np.split(plane, np.cumsum(shape.in_channels)[:-1], axis=-1)
    out = padded_channels(shape.out_channels) - shape.out_channels
    padded = [
        np.pad(part, ((0, out), (0, 0), (0, padded_channels(channels) - channels)))
        for part, channels in zip(parts, shape.in_channels)
    ]
    joined = np.concatenate(padded, axis=-1)
    if shape.kind == UP:
        joined = joined.transpose(1, 0, 2).reshape(-1, 1, joined.shape[2])
    return joined


def _tap_pairs(halves: np.ndarray) -> np.ndarray:
    """[columns, taps, chunks, 128] to [columns, tap pairs, chunks, 2, 128], zeros at the end."""
    columns, taps, chunks, bits = halves.shape
    even = np.pad(halves, ((0, 0), (0, taps % 2), (0, 0), (0, 0)))
    return even.reshape(columns, -1, 2, chunks, bits).transpose(0, 1, 3, 2, 4)
