# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which kernels run a network, on which buffers, and with which parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.launch import Argument, Buffer, Constant, DeviceLimits, Launch, Plan
from mbu_ros.engine.cuda.layout import (
    Product,
    pack_first,
    pack_head,
    pack_offsets,
    pack_weights,
    padded_channels,
    padding_word,
    pixel_bytes,
    product_of,
)
from mbu_ros.engine.cuda.slots import Slots
from mbu_ros.engine.cuda.tiling import Tiling, choose_tiling, tiles_of
from mbu_ros.model.deployed import Model
from mbu_ros.model.structure import CONV, FIRST, UP, LayerShape, padded_size

FIRST_ROWS, FIRST_COLUMNS, FIRST_THREADS = 16, 32, 256
FIRST_BLOCKS = 2
"""Blocks of the first convolution that a multiprocessor holds; each goes through several tiles."""
MOST_HEAD_CHANNELS = 128
"""The last convolution is fused with the head, for which one slice must hold all its channels."""
READS_BITS = 1
"""What the last convolution is told instead of the least that the head reads of a sum."""
MOST_TENSOR_BYTES = 2**31 - 1
"""Kernels count the bytes of a tensor in a C int."""

# (columns, warp columns, most groups) of the kernels that there are.
KERNELS = {
    ('wgmma', CONV): [(128, 128, 2), (64, 64, 3)],
    ('wgmma', UP): [(128, 128, 2), (64, 64, 3)],
    ('wgmma', 'last'): [(64, 64, 3), (128, 128, 1)],
    ('mma', CONV): [(64, 32, 3)],
    ('mma', UP): [(64, 32, 3)],
    ('mma', 'last'): [(64, 64, 3), (128, 128, 1)],
}


def instruction_of(architecture: int) -> str:
    """The binary Tensor Core instruction to use: Hopper's own, or the one that all have."""
    return 'wgmma' if architecture == 90 else 'mma'


@dataclass(frozen=True)
class _Maker:
    """What making every launch of a plan needs."""

    model: Model
    batch: int
    instruction: str
    limits: DeviceLimits
    launches: list[Launch]

    def tiling(self, shape: LayerShape, kind: str, height: int, width: int) -> Tiling:
        product = self.product(shape)
        candidates = KERNELS[self.instruction, kind]
        if kind == 'last':
            candidates = [one for one in candidates if one[0] == product.columns]
        tiles = tiles_of(self.batch, height, width)
        return choose_tiling(product, self.instruction, tiles, self.limits, candidates)

    def product(self, shape: LayerShape) -> Product:
        return product_of(shape, self.model.layers[shape.name].planes)

    def add(
        self, layer: str, source: str, operand: str, shape: LayerShape, tiling: Tiling,
        inputs: tuple[Argument, ...], outputs: tuple[Argument, ...],
    ) -> None:
        product = self.product(shape)
        suffix = f'{tiling.columns}.{tiling.warp_columns}'
        self.launches.append(
            Launch(
                layer,
                source,
                f'{source}_{self.instruction}_{operand}_{tiling.columns}',
                (*tiling.grid, 1),
                (tiling.threads, 1, 1),
                tiling.shared_bytes,
                (
                    *inputs,
                    Constant(f'{shape.name}.weights.{suffix}'),
                    Constant(f'{shape.name}.offsets.{suffix}'),
                    product.steps // product.weight_steps,
                    tiling.input_stages,
                    tiling.weight_stages,
                    *outputs,
                ),
            )
        )


def check_model(model: Model) -> None:
    """Raise EngineUnavailable for a network that the kernels cannot run."""
    if model.width > MOST_HEAD_CHANNELS:
        raise EngineUnavailable(
            f'the CUDA engine runs networks up to width {MOST_HEAD_CHANNELS}, this has '
            f'{model.width}'
        )


def network_constant(model: Model, name: str) -> np.ndarray:
    """The parameter of this name, of those that a `network_plan` reads, in device order.

    Of a binary layer it is '<layer>.<weights or offsets>.<columns>.<warp columns>'.
    """
    layer, kind, *order = name.rsplit('.', 3) if name[-1].isdigit() else name.split('.')
    if layer in ('first', 'head'):
        weights, added = pack_first(model.first) if layer == 'first' else pack_head(model.head)
        return weights if kind == 'weights' else added
    (shape,) = (shape for shape in model.shapes if shape.name == layer)
    pack = pack_offsets if kind == 'offsets' else pack_weights
    return pack(model.layers[layer], shape, *map(int, order))


def network_plan(
    model: Model,
    batch: int,
    confidence: bool,
    limits: DeviceLimits,
    instruction: str | None = None,
) -> Plan:
    """The launches from Buffer('image') to Buffer('labels') and, where asked, 'confidence'.

    'image' holds int8 (R, G, B less 128, and 0) of [batch][padded height][padded width] pixels,
    outside of the image the mean, and is overwritten; 'labels' uint8 and 'confidence' float32 of
    [batch][height][width], at the model's input size.

    Args:
        instruction: 'wgmma' or 'mma'; the faster that the architecture has if None.

    Raises:
        EngineUnavailable: a network that the kernels cannot run, or an instruction that the
            architecture has not.
    """
    check_model(model)
    if instruction == 'wgmma' != instruction_of(limits.architecture):
        raise EngineUnavailable(
            f'sm_{limits.architecture} has no wgmma, only Hopper (sm_90) has; take mma'
        )
    instruction = instruction or instruction_of(limits.architecture)
    height, width = padded_size(*model.input_size, model.depth)
    maker = _Maker(model, batch, instruction, limits, [])
    slots = Slots()
    slots.adopt('image', 4 * batch * height * width)

    def tensor(channels: int, level: int) -> Buffer:
        size = batch * (height >> level) * (width >> level) * pixel_bytes(channels)
        if size > MOST_TENSOR_BYTES:
            raise EngineUnavailable(
                f'{batch} frames of {width}x{height} at once make a tensor of {size / 1e9:.1f} GB, '
                f'the kernels take up to {MOST_TENSOR_BYTES / 1e9:.1f} GB; give fewer frames at '
                'once, or take a smaller model'
            )
        return slots.take(size)

    bits = pooled = Buffer('image')  # what the next layer reads
    skips: dict[int, Buffer] = {}
    for shape in model.shapes[:-1]:
        channels, level = shape.out_channels, shape.level
        size = (batch, height >> level, width >> level)
        if shape.kind == FIRST:
            bits = tensor(channels, 0)
            maker.launches.append(_first(maker, size, bits))
            slots.give_back(Buffer('image'))
            continue
        if shape.kind == UP:
            below, bits = bits, tensor(channels, level - 1)
            _add_up(maker, shape, size, below, bits)
            slots.give_back(below)
            continue
        sources = [pooled if shape.reads_pooled else bits]
        if len(shape.in_channels) == 2:
            sources.insert(0, skips.pop(level))
        if shape.name == 'decoder.0.conv2':
            _add_last(maker, shape, size, sources[0], confidence)
            break
        bits = tensor(channels, level)
        smaller = tensor(channels, level + 1) if shape.is_pooled(model.depth) else None
        _add_conv(maker, shape, size, sources, bits, smaller)
        for source in sources:
            slots.give_back(source)
        if smaller is not None:
            pooled, skips[level] = smaller, bits

    pixels = batch * model.input_size[0] * model.input_size[1]
    buffers = {'labels': pixels, **slots.sizes}
    if confidence:
        buffers['confidence'] = 4 * pixels
    return Plan(buffers, maker.launches)


def _first(maker: _Maker, size: tuple[int, int, int], output: Buffer) -> Launch:
    model, (batch, height, width) = maker.model, size
    tiles = -(-height // FIRST_ROWS) * -(-width // FIRST_COLUMNS)
    slices = padded_channels(model.width) // 64
    blocks = min(tiles, -(-FIRST_BLOCKS * maker.limits.multiprocessors // (slices * batch)))
    return Launch(
        'encoder.0.conv1',
        'first_conv',
        'first_conv',
        (blocks, slices, batch),
        (FIRST_THREADS, 1, 1),
        0,
        (
            Buffer('image'),
            *size,
            padding_word(model),
            Constant('first.weights'),
            Constant('first.offsets'),
            output,
            pixel_bytes(model.width),
        ),
    )


def _add_conv(
    maker: _Maker, shape: LayerShape, size: tuple[int, int, int], sources: list[Buffer],
    output: Buffer, pooled: Buffer | None,
) -> None:
    product, tiling = maker.product(shape), maker.tiling(shape, CONV, *size[1:])
    maker.add(
        shape.name, 'conv3x3', product.operand, shape, tiling,
        (sources[0], sources[-1], pixel_bytes(shape.in_channels[0]), len(sources), *size),
        (output, pooled or output, pixel_bytes(shape.out_channels), int(pooled is not None)),
    )


def _add_up(
    maker: _Maker, shape: LayerShape, size: tuple[int, int, int], source: Buffer, output: Buffer
) -> None:
    product, tiling = maker.product(shape), maker.tiling(shape, UP, *size[1:])
    wide = product.operand == 'ternary' and product.stage_chunks == 2
    maker.add(
        shape.name, 'up_conv', 'ternary2' if wide else product.operand, shape, tiling,
        (source, pixel_bytes(*shape.in_channels), *size),
        (output, pixel_bytes(shape.out_channels)),
    )


def _add_last(
    maker: _Maker, shape: LayerShape, size: tuple[int, int, int], source: Buffer, confidence: bool
) -> None:
    model, product = maker.model, maker.product(shape)
    tiling = maker.tiling(shape, 'last', *size[1:])
    maker.add(
        f'{shape.name}+head', 'last_conv', product.operand, shape, tiling,
        (source, pixel_bytes(*shape.in_channels), *size),
        (
            Constant('head.weights'),
            Constant('head.bias'),
            len(model.classes),
            float(model.head.scale),
            READS_BITS if model.head.lowest is None else model.head.lowest,
            Buffer('labels'),
            Buffer('confidence' if confidence else 'labels'),
            *model.input_size,
            int(confidence),
        ),
    )
