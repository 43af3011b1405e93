# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Chooses the engine: CUDA where it can run, else the CPU reference, and says why."""

from __future__ import annotations

from mbu_ros.engine.base import Engine, EngineUnavailable
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.model.deployed import Model

ENGINES = ('auto', 'reference', 'cuda')


def create_engine(name: str, model: Model, threads: int | None = None) -> tuple[Engine, str]:
    """Make the engine called `name` for a model, in the thread that will use it.

    Args:
        name: one of `ENGINES`.
        model: what to run.
        threads: of an engine on the CPU; None: one per core.

    Returns:
        The engine, and one sentence on why it is this one.

    Raises:
        EngineUnavailable: no such engine, or this machine cannot run it.
    """
    if name == 'reference':
        return ReferenceEngine(model, threads), 'the reference engine was asked for'
    if name == 'cuda':
        try:
            return _create_cuda(model), 'the CUDA engine was asked for'
        except EngineUnavailable as error:
            raise EngineUnavailable(f'no CUDA engine: {error}; choose auto or reference') from error
    if name != 'auto':
        raise EngineUnavailable(f'no engine {name!r}; choose one of {", ".join(ENGINES)}')
    try:
        return _create_cuda(model), 'a usable GPU was found'
    except EngineUnavailable as error:
        return ReferenceEngine(model, threads), f'no CUDA engine: {error}'


def _create_cuda(model: Model) -> Engine:
    # Late, so that who asks for the CPU does not wait for it.
    from mbu_ros.engine.cuda.engine import CudaEngine

    return CudaEngine(model)
