# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reference engine: the deployed network on the CPU, exact. It defines what is right.

Every convolution is one matrix product in float32 of bits or bytes with small integers. No sum
leaves the 24 bits that float32 holds exactly (at most 9 * 2 * 32768 weights of size 1 on bits, 27
products of 128 * 128 in the first layer, 512 of them in the head), so the order of additions does
not matter and the result is the integer one on any processor and BLAS.

Rows are shared out to threads here, each with a BLAS of one thread: the BLAS's own threads wait
for each other by spinning, and beside other busy processes, as on a robot, that costs several times
the work itself.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from mbu_ros.engine.base import (
    STAGES,
    EngineUnavailable,
    Frame,
    RawFrame,
    Segmentation,
    check_frame,
)
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.imaging.resize import resize_frame, resize_mask
from mbu_ros.model.deployed import HIGHEST, Model
from mbu_ros.model.structure import FIRST, UP, padded_size

BLOCK_VALUES = 1 << 19
"""Values of one block of unrolled windows: 2 MB of float32, which stays in a CPU's cache."""

PIXEL_BYTES = 20
"""Bytes that a frame takes at its peak, per pixel of the network and channel of its first level:
five tensors of float32, measured."""


def _matrix(weights: np.ndarray) -> np.ndarray:
    """Weights [out, taps, in] as the float32 right-hand side [taps * in, out] of a product."""
    return np.ascontiguousarray(weights.reshape(len(weights), -1).T, dtype=np.float32)


class ReferenceEngine:
    """Runs a model on the CPU with NumPy alone. See `engine.base.Engine`.

    Making one sets the process's BLAS to one thread, and leaves it there: a setting of the whole
    process cannot be taken back while another engine may need it.

    Args:
        model: what to run.
        threads: how many to share the rows out to; None: one per core.

    Raises:
        EngineUnavailable: this machine has too little memory for the model.
        InputError: a frame given to `segment` is not uint8 [H, W, 3], is empty, or is a RawFrame
            whose bytes do not fit it.
    """

    name = 'reference'
    architecture = platform.machine()
    max_batch = 1

    def __init__(self, model: Model, threads: int | None = None) -> None:
        _check_memory(model)
        self.model = model
        self._threads = threads or usable_cores()
        self.device = f'CPU, {self._threads} core{"s" if self._threads > 1 else ""}'
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix='rows')
        threadpool_limits(limits=1, user_api='blas')
        self._first = _matrix(model.first.weight)
        self._head = np.ascontiguousarray(model.head.weight.T, dtype=np.float32)
        self._matrices: dict[str, np.ndarray] = {}
        for shape in model.shapes:
            if not shape.is_binary:
                continue
            weights = model.layers[shape.name].weights(shape)
            if shape.kind == UP:  # [out, taps, in] to columns ordered tap by tap
                weights = weights.transpose(1, 0, 2).reshape(-1, 1, weights.shape[2])
            self._matrices[shape.name] = _matrix(weights)

    def segment(self, frames: Sequence[Frame], *, confidence: bool = False) -> list[Segmentation]:
        """Segment frames one by one."""
        return [self._segment(frame, confidence) for frame in frames]

    def memory(self) -> None:
        """It holds no memory but the process's."""

    def close(self) -> None:
        """Free the weights and end the threads."""
        self._matrices.clear()
        self._pool.shutdown()

    def _segment(self, frame: Frame, want_confidence: bool) -> Segmentation:
        check_frame(frame)
        start = time.perf_counter()
        if isinstance(frame, RawFrame):
            frame = to_rgb(frame)
        resized = resize_frame(frame, *self.model.input_size)
        after_resize = time.perf_counter()
        logits = self.logits(resized)
        labels = logits.argmax(axis=-1).astype(np.uint8)
        after_network = time.perf_counter()
        labels = resize_mask(labels, *frame.shape[:2])
        scores = None
        if want_confidence:
            scores = resize_mask(_confidence(logits, self.model.head.scale), *frame.shape[:2])
        times = np.diff([start, after_resize, after_network, time.perf_counter()]) * 1e3
        return Segmentation(labels, scores, dict(zip(STAGES, times.tolist())))

    def logits(self, image: np.ndarray) -> np.ndarray:
        """The network alone: uint8 [H, W, 3] of any size to int32 logits [H, W, classes]."""
        model = self.model
        height, width = image.shape[:2]
        padded = padded_size(height, width, model.depth)
        # One more pixel on each side is the first convolution's own border: also the mean.
        pixels = np.empty((padded[0] + 2, padded[1] + 2, 3), np.float32)
        pixels[...] = np.array(model.mean, np.float32) - 128
        pixels[1 : height + 1, 1 : width + 1] = image.astype(np.float32) - 128

        bits = pixels
        skips: dict[int, np.ndarray] = {}
        shapes = model.shapes[:-1]
        for shape in shapes:
            if shape.kind == FIRST:
                bits = self._conv3x3(pixels, self._first, model.first.threshold)
                continue
            layer, matrix = model.layers[shape.name], self._matrices[shape.name]
            if shape.kind == UP:
                bits = self._up_conv(bits, matrix, layer.threshold)
                continue
            if shape.reads_pooled:
                skips[shape.level - 1] = bits
                bits = _max_pool(bits)
            if len(shape.in_channels) == 2:
                bits = np.concatenate([skips.pop(shape.level), bits], axis=-1)
            border = np.pad(bits, ((1, 1), (1, 1), (0, 0)))
            lowest = model.head.lowest if shape is shapes[-1] else None
            bits = self._conv3x3(border, matrix, layer.threshold, lowest)
        sums = bits[:height, :width].reshape(-1, bits.shape[-1]) @ self._head
        logits: np.ndarray = sums.astype(np.int32) + model.head.bias
        return logits.reshape(height, width, -1)

    def _conv3x3(
        self,
        bordered: np.ndarray,
        matrix: np.ndarray,
        threshold: np.ndarray,
        lowest: int | None = None,
    ) -> np.ndarray:
        """3x3 convolution, threshold: float32 [H + 2, W + 2, C] to bits as float32 [H, W, out].

        To what a head reads instead, where that is given what it reads at least; see `Head`.
        """
        height, width, channels = bordered.shape[0] - 2, bordered.shape[1] - 2, bordered.shape[2]
        windows = np.lib.stride_tricks.sliding_window_view(bordered, (3, 3), axis=(0, 1))
        windows = windows.transpose(0, 1, 3, 4, 2)  # [H, W, row, column, C]
        output = np.empty((height, width, matrix.shape[1]), np.float32)
        limit = _float_threshold(threshold)

        def work(rows: slice) -> None:
            sums = windows[rows].reshape(-1, 9 * channels) @ matrix
            read = sums >= limit if lowest is None else np.clip(sums - limit, lowest, HIGHEST)
            output[rows] = read.reshape(-1, width, matrix.shape[1])

        self._share_out(work, height, width * 9 * channels)
        return output

    def _up_conv(
        self, bits: np.ndarray, matrix: np.ndarray, threshold: np.ndarray
    ) -> np.ndarray:
        """2x2 stride-2 up-convolution and threshold: [H, W, C] to bits [2H, 2W, out]."""
        height, width, channels = bits.shape
        out = len(threshold)
        output = np.empty((height, 2, width, 2, out), np.float32)
        limit = _float_threshold(threshold.T.reshape(2, 2, out))

        def work(rows: slice) -> None:
            sums = (bits[rows].reshape(-1, channels) @ matrix).reshape(-1, width, 2, 2, out)
            output[rows] = (sums >= limit).transpose(0, 2, 1, 3, 4)

        self._share_out(work, height, width * 4 * out)
        return output.reshape(2 * height, 2 * width, out)

    def _share_out(self, work: Callable[[slice], None], height: int, row_values: int) -> None:
        """Do `work` on all rows, in blocks that fit the cache and keep every thread busy."""
        rows = max(1, min(BLOCK_VALUES // row_values, -(-height // self._threads)))
        blocks = (slice(row, row + rows) for row in range(0, height, rows))
        for _ in self._pool.map(work, blocks):  # raises what a block raised
            pass


def _check_memory(model: Model) -> None:
    """Raise EngineUnavailable where the system would end the process for want of memory.

    The sizes of a network stand in its file, and a few bytes of it may ask for any amount.
    """
    if not hasattr(os, 'sysconf'):
        return
    height, width = padded_size(*model.input_size, model.depth)
    needed = PIXEL_BYTES * (model.width + 2) * height * width
    total = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    if needed > total:
        raise EngineUnavailable(
            f'the model at {model.input_size[1]}x{model.input_size[0]} needs about '
            f'{needed / 1e9:.1f} GB of memory on the CPU, this machine has {total / 1e9:.1f} GB; '
            'take a smaller model'
        )


def usable_cores() -> int:
    """Cores that this process may use, which in a container can be fewer than there are."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _max_pool(bits: np.ndarray) -> np.ndarray:
    """2x2 max pooling, which is OR on bits: [H, W, C] to [H / 2, W / 2, C]."""
    rows = np.maximum(bits[0::2], bits[1::2])
    pooled: np.ndarray = np.maximum(rows[:, 0::2], rows[:, 1::2])
    return pooled


def _float_threshold(threshold: np.ndarray) -> np.ndarray:
    """Integer thresholds as float32 that decide alike.

    Sums are smaller than 2**24 in size, where float32 holds every integer; thresholds beyond that
    (constant bits among them) round to something still beyond it.
    """
    return threshold.astype(np.float32)


def _confidence(logits: np.ndarray, scale: float) -> np.ndarray:
    """Softmax of the winning class: int32 [H, W, classes] to float32 [H, W]."""
    # In float64: the difference of two int32 may leave int32.
    exact = logits.astype(np.float64)
    relative = (exact - exact.max(axis=-1, keepdims=True)).astype(np.float32) * scale
    winning: np.ndarray = 1 / np.exp(relative).sum(axis=-1)
    return winning
