# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Packed parameters, multiplied in NumPy as the kernels multiply them, give the layer's bits."""

import numpy as np
import pytest

from mbu_ros.engine.cuda.layout import (
    BINARY,
    BINARY128,
    TERNARY,
    TERNARY64,
    column_order,
    pack_first,
    pack_head,
    pack_offsets,
    pack_weights,
    padded_channels,
    product_of,
)
from mbu_ros.model.deployed import ALWAYS, NEVER, FirstLayer, Head
from mbu_ros.model.random import _random_layer
from mbu_ros.model.structure import CONV, TAPS, UP, LayerShape

WARPS = [(64, 64), (64, 32), (128, 128)]


def kernel_bits(layer, shape, windows, columns, warp_columns):
    """What the kernels compute: windows bool [n, taps, channels] to bool [n, columns]."""
    product = product_of(shape, layer.planes)
    weights = pack_weights(layer, shape, columns, warp_columns)
    offsets = pack_offsets(layer, shape, columns, warp_columns)
    parts = np.split(windows, np.cumsum(shape.in_channels)[:-1], axis=-1)
    padded = np.concatenate(
        [
            np.pad(part, ((0, 0), (0, 0), (0, padded_channels(part.shape[-1]) - part.shape[-1])))
            for part in parts
        ],
        axis=-1,
    )
    if product.operand == TERNARY64:
        padded = np.concatenate([padded, ~padded], axis=-1)
    chunks = padded.reshape(*padded.shape[:2], -1, 128).transpose(2, 1, 0, 3)  # chunk, tap, n, 128
    steps = []
    if product.takes_two_taps:
        for chunk in chunks:
            for tap in range(0, product.taps, 2):
                steps.append((chunk[tap], chunk[min(tap + 1, product.taps - 1)]))
    elif product.operand == TERNARY:
        steps = [(tap, ~tap) for chunk in chunks for tap in chunk]
    else:
        for low, high in zip(chunks[::2], chunks[1::2]):
            steps += zip(low, high)
    assert weights.shape == (product.columns // columns, len(steps), 2, columns, 16)
    sums = np.zeros((len(windows), product.columns), np.int64)
    for index, halves in enumerate(steps):
        for half, operand in enumerate(halves):
            bits = np.unpackbits(weights[:, index, half], axis=-1, bitorder='little')
            sums += operand.astype(np.int64) @ bits.reshape(-1, 128).T.astype(np.int64)
    if product.counts_bits:
        margins = 2 * sums + offsets.reshape(-1) - windows.sum(axis=(1, 2))[:, None]
    else:
        margins = sums + offsets.reshape(-1)
    assert np.abs(margins).max() < 2**31
    # Back to the order of channels: a thread's bits are neighbours.
    order = (np.arange(0, product.columns, columns)[:, None] + column_order(columns, warp_columns))
    bits = np.empty_like(margins, dtype=bool)
    bits[:, order.reshape(-1)] = margins >= 0
    return bits


@pytest.mark.parametrize('columns, warp_columns', WARPS)
@pytest.mark.parametrize('kind', [CONV, UP])
@pytest.mark.parametrize(
    'in_channels, out_channels, planes, operand',
    [
        ((64,), 128, 2, TERNARY64),
        ((48,), 128, 2, TERNARY64),
        ((16,), 128, 1, TERNARY64),
        ((128,), 256, 2, TERNARY),
        ((256,), 96, 2, TERNARY),
        ((256,), 128, 1, BINARY),
        ((192,), 192, 1, BINARY),
        ((128,), 128, 1, BINARY128),
        ((384,), 128, 1, BINARY128),
        ((64, 64), 128, 2, TERNARY),
        ((48, 48), 128, 1, BINARY128),
        ((96, 96), 96, 2, TERNARY),
        ((96, 96), 96, 1, BINARY),
    ],
)
def test_packed_layer_decides_as_the_layer(
    kind, in_channels, out_channels, planes, operand, columns, warp_columns
):
    if kind == UP and len(in_channels) == 2:
        pytest.skip('an up-convolution reads one tensor')
    random = np.random.default_rng(len(in_channels) * out_channels + planes)
    shape = LayerShape('layer', kind, in_channels, out_channels, 1)
    layer = _random_layer(random, shape, planes)
    layer.threshold.reshape(-1)[:2] = ALWAYS, NEVER
    assert product_of(shape, planes).operand == operand
    taps = 1 if kind == UP else TAPS[kind]
    windows = random.random((20, taps, sum(in_channels))) < 0.5
    windows[0], windows[1] = False, True
    got = kernel_bits(layer, shape, windows, columns, warp_columns)

    weights = layer.weights(shape).astype(np.int64)
    if kind == UP:
        sums = np.einsum('ni,oti->nto', windows[:, 0].astype(np.int64), weights)
        expected = sums >= layer.threshold.T
    else:
        sums = np.einsum('nti,oti->no', windows.astype(np.int64), weights)
        expected = (sums >= layer.threshold)[:, None]
    got = got.reshape(len(windows), expected.shape[1], -1)
    np.testing.assert_array_equal(got[:, :, :out_channels], expected)
    assert not got[:, :, out_channels:].any()  # padding stays 0


@pytest.mark.parametrize('columns, warp_columns', WARPS)
def test_threads_hold_neighbouring_channels(columns, warp_columns):
    order = column_order(columns, warp_columns)
    assert sorted(order) == list(range(columns))
    of_thread = order.reshape(-1, warp_columns // 8, 4, 2).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(of_thread.reshape(-1), np.arange(columns))


@pytest.mark.parametrize('out', [16, 64, 96])
def test_first_layer_fragments(out):
    random = np.random.default_rng(out)
    first = FirstLayer(
        random.integers(-127, 128, (out, 3, 3, 3), dtype=np.int8),
        random.integers(-(2**31), 2**31, out, dtype=np.int32),
    )
    fragments, offsets = pack_first(first)
    # Lane 4 g + t of column tile j holds, for column 8 j + g, pixel t of each kernel row.
    bytes_ = fragments.view(np.int8).reshape(-1, 8, 3, 8, 4, 4)
    order = column_order(64, 64)
    for channel in range(0, padded_channels(out)):
        place = np.flatnonzero(order == channel % 64)[0]
        weight = bytes_[channel // 64, place // 8, :, place % 8]
        offset = offsets[channel // 64, place]
        if channel < out:
            np.testing.assert_array_equal(weight[:, :3, :3], first.weight[channel])
            assert offset == -np.clip(first.threshold[channel].astype(np.int64), -(2**29), 2**29)
            assert not weight[:, 3].any() and not weight[:, :, 3].any()
        else:
            assert not weight.any() and offset < -(10**6)


@pytest.mark.parametrize('lowest', [None, 0, -128])
@pytest.mark.parametrize('classes, channels', [(2, 16), (11, 64), (9, 96), (200, 128)])
def test_head_fragments(classes, channels, lowest):
    random = np.random.default_rng(classes)
    head = Head(
        random.integers(-127, 128, (classes, channels), dtype=np.int8),
        random.integers(-(2**30), 2**30, classes, dtype=np.int32),
        0.1,
        lowest,
    )
    fragments, bias = pack_head(head)
    read = random.integers(-128 if lowest is None else lowest, 128, (7, channels))
    if lowest is None:
        read = (read >= 0).astype(np.int64)
    columns = padded_channels(channels)
    operand = np.pad(read, ((0, 0), (0, columns - channels))) - (lowest is None)
    # Thread t has the channels (columns / 4) t + ...; its bytes of step s, half h are the next 4.
    operand = operand.reshape(7, 4, columns // 32, 2, 4).transpose(0, 2, 3, 1, 4)
    weights = fragments.view(np.int8).reshape(-1, columns // 32, 2, 8, 4, 4).astype(np.int64)
    logits = np.einsum('nshtb,cshgtb->ncg', operand, weights).reshape(7, -1) + bias
    expected = read @ head.weight.T.astype(np.int64) + head.bias
    np.testing.assert_array_equal(logits[:, :classes], expected)
    assert (logits[:, classes:] == np.iinfo(np.int32).min).all()
