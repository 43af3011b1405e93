# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to run on a GPU, as data: made without one, looked at in tests, carried out by `engine`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Buffer:
    """Argument of a kernel: the address of a session's buffer of this name."""

    name: str


@dataclass(frozen=True)
class Constant:
    """Argument of a kernel: the address of an uploaded array of this name."""

    name: str


Argument = Buffer | Constant | int | float
"""What a kernel is given; an int is a C int, a float a C float."""


@dataclass(frozen=True)
class Launch:
    """One kernel launch.

    Attributes:
        layer: what it is for, in timings: a layer's name, 'resize' or 'mask'.
        source: the kernel's file in kernels/, without its ending.
        kernel: name of the kernel in it.
        grid, block: blocks, and threads of each.
        shared_bytes: dynamic shared memory of a block.
        arguments: in the kernel's order.
    """

    layer: str
    source: str
    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Plan:
    """Launches in order, and the bytes of each buffer that they use."""

    buffers: dict[str, int] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)


@dataclass(frozen=True)
class DeviceLimits:
    """What the choice of launches needs to know of a GPU.

    Attributes:
        architecture: compute capability times ten, such as 87.
        multiprocessors: how many it has.
        shared_per_block: bytes of shared memory that one block may opt in to.
    """

    architecture: int
    multiprocessors: int
    shared_per_block: int
