# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the integer network says of many frames.

The CUDA engine says it where there is one, which gives the same labels bit for bit; else the
reference engine, in a process per core. Those import no PyTorch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.queues import Queue

import numpy as np

from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.engine.select import create_engine
from mbu_ros.model.deployed import Model
from mbu_ros.model.structure import padded_size

LOGGER = logging.getLogger(__name__)

OPERATIONS_PER_PROCESS = 5e10
"""Multiply-adds that are worth starting one more process, which takes a second or so."""


def integer_labels(
    model: Model, images: np.ndarray, processes: int | None = None
) -> Iterator[np.ndarray]:
    """Labels of frames of the model's own input size.

    Args:
        model: the deployed network.
        images: uint8 [N, H, W, 3] RGB.
        processes: how many to use, on the CPU; where None a GPU if there is one, else as many as
            there are cores and work for.

    Yields:
        uint8 [H, W] for each frame, in their order.
    """
    if processes is None:
        labels = _labels_on_gpu(model, images)
        if labels is not None:
            yield from labels
            return
        processes = min(_cores(), len(images), 1 + int(_work(model, len(images))))
    if processes == 1:
        engine = ReferenceEngine(model)
        try:
            for image in images:
                yield _labels(engine, image)
        finally:
            engine.close()
        return
    # 'spawn': the parent may hold threads and a GPU, which a forked child must not inherit.
    context = get_context('spawn')
    cores = context.Queue()
    for index in range(processes):
        cores.put(index)
    with ProcessPoolExecutor(processes, context, _start, (model, cores)) as pool:
        yield from pool.map(_label_frame, images)


def _labels_on_gpu(model: Model, images: np.ndarray) -> list[np.ndarray] | None:
    try:
        engine, _ = create_engine('cuda', model)
    except EngineUnavailable:
        return None
    labels: list[np.ndarray] = []
    try:
        for start in range(0, len(images), engine.max_batch):
            frames = list(images[start : start + engine.max_batch])
            # Copies: the engine uses its memory again.
            labels += [result.labels.copy() for result in engine.segment(frames)]
    except EngineError as error:
        LOGGER.warning('the CUDA engine failed, the CPU goes on: %s', error)
        return None
    finally:
        engine.close()
    return labels


def _work(model: Model, frames: int) -> float:
    height, width = padded_size(*model.input_size, model.depth)
    adds = sum(shape.multiply_adds(height, width) for shape in model.shapes)
    return frames * adds / OPERATIONS_PER_PROCESS


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _labels(engine: ReferenceEngine, image: np.ndarray) -> np.ndarray:
    return engine.logits(image).argmax(axis=-1).astype(np.uint8)


_engine: ReferenceEngine | None = None
"""Of a process of the pool."""


def _start(model: Model, cores: Queue[int]) -> None:
    global _engine
    index = cores.get()
    if hasattr(os, 'sched_setaffinity'):
        # An engine has a thread per core that it may use; here frames are shared out, not rows.
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {usable[index % len(usable)]})
    _engine = ReferenceEngine(model)


def _label_frame(image: np.ndarray) -> np.ndarray:
    assert _engine is not None
    return _labels(_engine, image)
