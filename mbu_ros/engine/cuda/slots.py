# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Buffers that later tensors use again."""

from __future__ import annotations

from mbu_ros.engine.cuda.launch import Buffer


class Slots:
    """Hands out buffers, by preference one that was given back."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        """Bytes of every buffer handed out so far."""
        self._free: list[str] = []

    def take(self, size: int) -> Buffer:
        """A buffer of at least `size` bytes: the smallest free one that fits, else a new one."""
        fitting = [name for name in self._free if self.sizes[name] >= size]
        if fitting:
            name = min(fitting, key=self.sizes.__getitem__)
            self._free.remove(name)
        else:
            name = f'activations{len(self.sizes)}'
            self.sizes[name] = size
        return Buffer(name)

    def adopt(self, name: str, size: int) -> None:
        """Take in a buffer that has a name of its own, in use until it is given back."""
        self.sizes[name] = size

    def give_back(self, buffer: Buffer) -> None:
        """Nobody reads this buffer any more."""
        self._free.append(buffer.name)
