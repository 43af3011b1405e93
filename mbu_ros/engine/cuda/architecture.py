# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GPU architectures: which can run the kernels, what compilers call them, which are present."""

from __future__ import annotations

from mbu_ros.engine.base import EngineUnavailable

OLDEST = 80
"""First architecture (compute capability times ten) with the AND-popcount product of bits."""


def target(architecture: int) -> str:
    """What nvcc calls an architecture, such as 'sm_87'.

    Hopper's is sm_90a: it has the warp-group products, and every device of 9.0 runs it.

    Raises:
        EngineUnavailable: the kernels need a newer one.
    """
    if architecture < OLDEST:
        raise EngineUnavailable(
            f'the kernels need architecture {OLDEST} (compute capability 8.0) or newer, '
            f'this is {architecture}'
        )
    return 'sm_90a' if architecture == 90 else f'sm_{architecture}'


def present_architectures() -> list[int]:
    """Architectures of this machine's GPUs, each once, such as [87]; needs no context.

    Raises:
        EngineUnavailable: PyCUDA, the driver or a GPU is missing.
    """
    try:
        import pycuda.driver as cuda
    except ImportError as error:
        raise EngineUnavailable(f'PyCUDA cannot be imported ({error})') from error
    try:
        cuda.init()
        capabilities = [
            cuda.Device(index).compute_capability() for index in range(cuda.Device.count())
        ]
    except cuda.Error as error:
        raise EngineUnavailable(f'the CUDA driver gives no GPU ({error})') from error
    if not capabilities:
        raise EngineUnavailable('the CUDA driver lists no GPU')
    return sorted({10 * major + minor for major, minor in capabilities})
