# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which kernels turn a camera's bytes into the network's image, and its labels into a mask.

The result is the CPU's to the bit: `to_rgb` then `resize_frame`, and `resize_mask`.
"""

from __future__ import annotations

import numpy as np

from mbu_ros.engine.cuda.frame_format import FrameFormat
from mbu_ros.engine.cuda.launch import Argument, Buffer, Constant, Launch
from mbu_ros.engine.cuda.layout import padding_word
from mbu_ros.engine.cuda.resize_tables import linear_table, nearest_table
from mbu_ros.model.deployed import Model
from mbu_ros.model.structure import padded_size

BLOCK = (32, 8, 1)
"""Threads of a block: a warp takes pixels of one row."""

MAX_ROWS_OF_BLOCKS = 65535
"""The y size of a grid ends here; kernels step through the rows that are left."""


def frame_constants(model: Model, format: FrameFormat) -> dict[str, np.ndarray]:
    """The tables that a format's launches read, by name.

    A name says all that its table depends on, so formats share tables of the same name.
    """
    height, width = model.input_size
    constants = {}
    if not _has_network_size(model, format):
        for source, target in ((format.width, width), (format.height, height)):
            constants[_linear(source, target).name] = linear_table(source, target)
    for source, target in ((width, format.width), (height, format.height)):
        constants[_nearest(source, target).name] = nearest_table(source, target)
    return constants


def input_launches(model: Model, format: FrameFormat, index: int) -> list[Launch]:
    """From the bytes in Buffer('frame<index>') to slot `index` of Buffer('image').

    Both buffers start at a multiple of 16 bytes. The slot is written whole: right of and below the
    picture, up to the network's padded size, with mean - 128.
    """
    height, width = model.input_size
    padded_height, padded_width = padded_size(height, width, model.depth)
    frame = (Buffer(f'frame{index}'), format.width, format.height, format.step)
    image = (Buffer('image'), index, padded_width, padded_height, padding_word(model))
    tables: tuple[Argument, ...] = ()
    if _has_network_size(model, format):
        kernel, pixels = 'convert', 4
    else:
        kernel, pixels = 'resize', 1
        columns, rows = _linear(format.width, width), _linear(format.height, height)
        tables = (columns, rows, width, height)
    return [
        Launch(
            layer='resize',
            source='resize_input',
            kernel=f'{kernel}_{format.reader}',
            grid=_grid(padded_width, padded_height, pixels),
            block=BLOCK,
            shared_bytes=0,
            arguments=(*frame, *tables, *image),
        )
    ]


def mask_launches(model: Model, format: FrameFormat, index: int, confidence: bool) -> list[Launch]:
    """From slot `index` of Buffer('labels') to Buffer('mask<index>'), at the frame's size.

    Both are uint8. Where confidence is asked for, likewise from Buffer('confidence') to
    Buffer('scores<index>'), float32. All buffers start at a multiple of 16 bytes.
    """
    height, width = model.input_size
    jobs = [('resize_labels', 'labels', f'mask{index}')]
    if confidence:
        jobs.append(('resize_scores', 'confidence', f'scores{index}'))
    return [
        Launch(
            layer='mask',
            source='resize_mask',
            kernel=kernel,
            grid=_grid(format.width, format.height, 4),
            block=BLOCK,
            shared_bytes=0,
            arguments=(
                *(Buffer(source), index, width, height),
                *(_nearest(width, format.width), _nearest(height, format.height)),
                *(Buffer(target), format.width, format.height),
            ),
        )
        for kernel, source, target in jobs
    ]


def _has_network_size(model: Model, format: FrameFormat) -> bool:
    return (format.height, format.width) == tuple(model.input_size)


def _linear(source: int, target: int) -> Constant:
    return Constant(f'linear.{source}.{target}')


def _nearest(source: int, target: int) -> Constant:
    return Constant(f'nearest.{source}.{target}')


def _grid(width: int, height: int, pixels: int) -> tuple[int, int, int]:
    """Blocks for a picture of which each thread takes so many neighbouring pixels at a time."""
    columns = -(-width // (BLOCK[0] * pixels))
    return columns, min(-(-height // BLOCK[1]), MAX_ROWS_OF_BLOCKS), 1
