# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the assembler says each kernel takes: registers, shared memory, spills."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class KernelResources:
    """One kernel of a cubin.

    Attributes:
        registers: of each thread.
        shared: bytes of static shared memory of a block; dynamic is chosen at launch.
        stack: bytes of local memory of each thread.
        spill_stores, spill_loads: bytes of registers moved to local memory and back.
    """

    registers: int
    shared: int
    stack: int
    spill_stores: int
    spill_loads: int

    @property
    def local_memory(self) -> bool:
        """Whether it goes to local memory, which is off the chip, for anything."""
        return bool(self.stack or self.spill_stores or self.spill_loads)


def parse_resources(log: str) -> dict[str, KernelResources]:
    """Resources per kernel, from what `ptxas -v` printed.

    A function that a kernel calls and that is not inlined is reported after it, with a frame of its
    own: that counts as the kernel's.
    """
    kernels = {}
    parts = re.split(r"Compiling entry function '([^']+)'", log)
    for name, text in zip(parts[1::2], parts[2::2]):

        def total(pattern: str, text: str = text) -> int:
            return sum(map(int, re.findall(pattern, text)))

        kernels[name] = KernelResources(
            registers=total(r'Used (\d+) registers'),
            shared=total(r'(\d+) bytes smem'),
            stack=total(r'(\d+) bytes stack frame'),
            spill_stores=total(r'(\d+) bytes spill stores'),
            spill_loads=total(r'(\d+) bytes spill loads'),
        )
    return kernels
