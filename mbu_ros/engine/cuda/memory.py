# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Memory on the device: constant arrays, the arena of activations, and frames on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mbu_ros.engine.cuda.device import Device

ALIGNMENT = 256
"""Bytes; every buffer starts at a multiple, as every allocation of CUDA does."""


def lay_out(sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Offsets of buffers one after the other in one allocation, and the bytes of it all."""
    offsets, end = {}, 0
    for name, size in sizes.items():
        offsets[name] = end
        end += -(-size // ALIGNMENT) * ALIGNMENT
    return offsets, end


class Constants:
    """Arrays on the device, in one allocation.

    Attributes:
        addresses: device address by name.
        bytes: of the allocation.
    """

    def __init__(self, device: Device, arrays: Mapping[str, np.ndarray]) -> None:
        offsets, self.bytes = lay_out({name: array.nbytes for name, array in arrays.items()})
        self.addresses: dict[str, int] = {}
        self._allocation = None
        if not self.bytes:
            return
        packed = np.zeros(self.bytes, np.uint8)
        for name, array in arrays.items():
            flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            packed[offsets[name] :][: flat.size] = flat
        self._allocation = device.driver.mem_alloc(self.bytes)
        self.addresses = {name: int(self._allocation) + at for name, at in offsets.items()}
        try:
            # On the engine's own stream: waiting for the whole context would spoil a capture that
            # an engine in another thread has going on.
            device.driver.memcpy_htod_async(self._allocation, packed, device.stream)
            device.stream.synchronize()
        except device.driver.Error:
            self.free()
            raise

    def free(self) -> None:
        """Free the allocation. Twice is allowed."""
        if self._allocation is not None:
            self._allocation.free()
            self._allocation = None


class Arena:
    """Activations of all sessions: they live during one run only, so that all share one place.

    Attributes:
        generation: changes whenever the arena moves; addresses in it are good for one generation.
        bytes: of the allocation.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._allocation: Any = None
        self.generation = 0
        self.bytes = 0

    def reserve(self, size: int) -> int:
        """Have at least `size` bytes; returns the address of the first.

        Raises:
            pycuda.driver.MemoryError: the device has not as much; the arena is then empty.
        """
        if size > self.bytes or self._allocation is None:
            self._device.stream.synchronize()
            self.free()
            self._allocation = self._device.driver.mem_alloc(max(size, ALIGNMENT))
            self.bytes = size
        return int(self._allocation)

    def free(self) -> None:
        """Free the allocation. Twice is allowed."""
        self.generation += 1
        self.bytes = 0
        if self._allocation is not None:
            self._allocation.free()
            self._allocation = None


class TransferBuffer:
    """Named buffers that the CPU and the GPU both see, for one direction.

    Page-locked on the CPU's side. On a device with memory of its own, a copy of the same layout is
    there, and one transfer copies all buffers; an integrated device works on the CPU's side itself.

    Attributes:
        host: uint8 array of each buffer, by name.
        addresses: device address by name.
        bytes: of device memory; on an integrated device, of the memory that both see.
    """

    def __init__(self, device: Device, sizes: Mapping[str, int]) -> None:
        driver = device.driver
        offsets, self.bytes = lay_out(sizes)
        flags = driver.host_alloc_flags.DEVICEMAP if device.integrated else 0
        self._device = device
        self._all = driver.pagelocked_empty(self.bytes, np.uint8, mem_flags=flags)
        self._all[:] = 0
        self._allocation = None
        if device.integrated:
            base = self._all.base.get_device_pointer()
        else:
            self._allocation = driver.mem_alloc(self.bytes)
            base = int(self._allocation)
        self.host = {name: self._all[at : at + sizes[name]] for name, at in offsets.items()}
        self.addresses = {name: base + at for name, at in offsets.items()}

    def enqueue_upload(self) -> None:
        """Copy all buffers to the device, where that takes a copy."""
        if self._allocation is not None:
            device = self._device
            device.driver.memcpy_htod_async(self._allocation, self._all, device.stream)

    def enqueue_download(self) -> None:
        """Copy all buffers from the device, where that takes a copy."""
        if self._allocation is not None:
            device = self._device
            device.driver.memcpy_dtoh_async(self._all, self._allocation, device.stream)

    def free(self) -> None:
        """Free the device's side, and the host's as soon as nobody holds a view of it."""
        if self._allocation is not None:
            self._allocation.free()
            self._allocation = None
        self.host = {}
        self._all = None
