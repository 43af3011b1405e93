# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the name of a model to a thread with a warm engine that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbu_ros.engine.base import Engine
from mbu_ros.engine.select import create_engine
from mbu_ros.errors import InputError
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import Model
from mbu_ros.model.file import load_model
from mbu_ros.node.formats import Batch
from mbu_ros.node.lasting import LastingEngine
from mbu_ros.node.worker import EngineThread


@dataclass(frozen=True)
class ModelFile:
    """A model as it was read.

    Attributes:
        name: as the parameter `model` gave it.
        path: where it lies.
        version: of the file; another once it is written again.
        model: what was in it.
        sha256: digest that it had to have; '' where it might have any.
    """

    name: str
    path: Path
    version: tuple[int, int]
    model: Model
    sha256: str = ''


def read_model(name: str, sha256: str = '') -> ModelFile:
    """Find and read a model.

    Args:
        sha256: digest that its file must have; '' where it may have any.

    Raises:
        InputError: there is none, or its file cannot be used.
    """
    path = find_model(name)
    version = _version(path)
    return ModelFile(name, path, version, load_model(path, sha256), sha256)


def is_unchanged(file: ModelFile, name: str) -> bool:
    """Whether reading the model `name` now would give what was read then."""
    try:
        path = find_model(name)
        return path == file.path and _version(path) == file.version
    except InputError:
        return False


def make_worker(
    engine: str,
    model: Model,
    log: Any,
    cameras: int = 1,
    batches: Sequence[Batch] = (),
    kind: str = '',
) -> EngineThread:
    """Make an engine in a thread of its own, warm: its first frame takes no longer than others.

    Args:
        engine: one of `engine.select.ENGINES`.
        cameras: how many frames may come at once.
        batches: what the frames are known to look like.
        log: with methods info and error, for a line of text each.
        kind: see `LastingEngine`.

    Raises:
        EngineUnavailable: this machine cannot run it.
        EngineError: it failed at a frame.
    """

    def create(kind: str) -> tuple[Engine, str]:
        return _warm_engine(kind or engine, model, cameras)

    return EngineThread(lambda: LastingEngine(create, log, batches, kind=kind))


def _warm_engine(name: str, model: Model, cameras: int) -> tuple[Engine, str]:
    engine, reason = create_engine(name, model)
    try:
        frame = np.zeros((*model.input_size, 3), np.uint8)
        for size in {1, min(cameras, engine.max_batch)}:
            engine.segment([frame] * size)
    except BaseException:
        engine.close()
        raise
    return engine, reason


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f'{path}: {error.strerror}') from error
    return status.st_mtime_ns, status.st_size
