# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""GPU architectures: which can run the kernels, and what compilers call them."""

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
