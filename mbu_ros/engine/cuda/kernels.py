# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled kernels on a device, and launches of them with their arguments bound."""

from __future__ import annotations

import functools
import numbers
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mbu_ros.engine.base import EngineError
from mbu_ros.engine.cuda.compile import load_cubins
from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.launch import Buffer, Constant, Launch


class Kernels:
    """The kernels of one device, each source loaded once, when first needed."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._modules: dict[str, Any] = {}
        self._functions: dict[tuple[str, str, str], Any] = {}
        self._shared: dict[tuple[str, str], int] = {}

    def load(self, sources: Iterable[str]) -> None:
        """Compile where necessary, and load, those sources that are not loaded yet.

        Raises:
            EngineUnavailable: one cannot be compiled.
            EngineError: the driver does not take one.
        """
        driver = self._device.driver
        missing = sorted(set(sources) - set(self._modules))
        cubins = load_cubins(missing, self._device.limits.architecture) if missing else {}
        for source, cubin in cubins.items():
            try:
                self._modules[source] = driver.module_from_buffer(cubin)
            except driver.MemoryError:
                raise
            except driver.Error as error:
                raise EngineError(
                    f'the NVIDIA driver does not load kernel {source} ({error}); it may be older '
                    'than the compiler: update it, or compile with an older CUDA toolkit'
                ) from error

    def bind(
        self, launch: Launch, buffers: Mapping[str, int], constants: Mapping[str, int]
    ) -> Callable[[], None]:
        """A function that enqueues a launch, with the addresses of its buffers filled in.

        Raises:
            EngineError: the launch and its kernel do not fit together.
        """
        types, values = pack_arguments(launch, buffers, constants)
        function = self._function(launch, types)
        return functools.partial(
            function.prepared_async_call,
            launch.grid,
            launch.block,
            self._device.stream,
            *values,
            shared_size=launch.shared_bytes,
        )

    def close(self) -> None:
        """Unload everything."""
        self._functions.clear()
        self._modules.clear()

    def _function(self, launch: Launch, types: str) -> Any:
        driver = self._device.driver
        kernel = launch.source, launch.kernel
        key = (*kernel, types)
        try:
            if key not in self._functions:
                function = self._modules[launch.source].get_function(launch.kernel)
                self._functions[key] = function.prepare(types)
            # The limit is the kernel's, not the launch's: never lower what another launch needs.
            # Without one it is 48 KB less what the kernel declares itself.
            if launch.shared_bytes > self._shared.get(kernel, 0):
                attribute = driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
                self._functions[key].set_attribute(attribute, launch.shared_bytes)
                self._shared[kernel] = launch.shared_bytes
        except driver.LogicError as error:
            raise EngineError(f'{describe(launch)} cannot be prepared: {error}') from error
        return self._functions[key]


def pack_arguments(
    launch: Launch, buffers: Mapping[str, int], constants: Mapping[str, int]
) -> tuple[str, list[int | float]]:
    """A launch's arguments as PyCUDA takes them: letters of their C types, and values.

    Raises:
        EngineError: a buffer or constant that nobody provides, or an int beyond 32 bits.
    """
    types = ''
    values: list[int | float] = []
    for argument in launch.arguments:
        if isinstance(argument, (Buffer, Constant)):
            known = buffers if isinstance(argument, Buffer) else constants
            if argument.name not in known:
                raise EngineError(f'{describe(launch)} needs {argument}, which is not there')
            types += 'P'
            values.append(known[argument.name])
        elif isinstance(argument, numbers.Integral):
            types += 'i'
            values.append(int(argument))
        else:
            types += 'f'
            values.append(float(argument))
    try:
        struct.pack(types, *values)
    except struct.error as error:
        raise EngineError(f'{describe(launch)} has an argument out of range: {error}') from error
    return types, values


def describe(launch: Launch) -> str:
    """A launch in words, for errors."""
    return (
        f'kernel {launch.kernel} of {launch.source} for {launch.layer!r} (grid {launch.grid}, '
        f'block {launch.block}, {launch.shared_bytes} bytes of shared memory)'
    )
