# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs launches on the first GPU, with buffers of exactly the size asked for.

So compute-sanitizer sees every access beyond one. A test module that imports this is skipped
where there is no GPU.
"""

import functools

import numpy as np
import pytest

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.compile import load_cubin
from mbu_ros.engine.cuda.driver import present_architectures
from mbu_ros.engine.cuda.launch import Buffer, Constant, DeviceLimits

try:
    present_architectures()
except EngineUnavailable as error:
    pytest.skip(f'no GPU to test with: {error}', allow_module_level=True)

import pycuda.driver as cuda  # noqa: E402

POISON = 0xA5
"""In every byte of a buffer that a kernel has not written."""

FREE_SHARED_BYTES = 48 * 1024
"""Dynamic shared memory that a kernel has without asking for it."""


def run_launches(launches, constants, buffers):
    """Run launches in order and return all buffers as they are in the end.

    Args:
        launches: of `mbu_ros.engine.cuda.launch`.
        constants: arrays by name.
        buffers: by name an array to start from, or a number of bytes, which start as `POISON`.

    Returns:
        Arrays by name, of the dtype and shape given; those given by size are uint8.
    """
    _, context = _primary_context()
    context.push()
    try:
        return _run(launches, constants, buffers)
    finally:
        context.pop()


def device_limits():
    """The limits of the GPU that `run_launches` uses."""
    device, _ = _primary_context()
    attribute = cuda.device_attribute
    major, minor = device.compute_capability()
    return DeviceLimits(
        architecture=10 * major + minor,
        multiprocessors=device.get_attribute(attribute.MULTIPROCESSOR_COUNT),
        shared_per_block=device.get_attribute(attribute.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
    )


@functools.cache
def _primary_context():
    """The first device and its primary context, kept for all tests but current in none."""
    cuda.init()
    device = cuda.Device(0)
    return device, device.retain_primary_context()


def _run(launches, constants, buffers):
    buffers = {name: _as_array(content) for name, content in buffers.items()}
    memory = {Buffer(name): cuda.to_device(content) for name, content in buffers.items()}
    for name, content in constants.items():
        memory[Constant(name)] = cuda.to_device(np.ascontiguousarray(content))
    modules = {
        source: cuda.module_from_buffer(load_cubin(source, device_limits().architecture))
        for source in {launch.source for launch in launches}
    }
    for launch in launches:
        _start(modules[launch.source].get_function(launch.kernel), launch, memory)
    cuda.Context.synchronize()
    return {
        name: cuda.from_device(memory[Buffer(name)], content.shape, content.dtype)
        for name, content in buffers.items()
    }


def _as_array(content):
    if isinstance(content, int):
        return np.full(content, POISON, np.uint8)
    return np.ascontiguousarray(content)


def _start(function, launch, memory):
    if launch.shared_bytes > FREE_SHARED_BYTES:
        function.set_attribute(
            cuda.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, launch.shared_bytes
        )
    function(
        *(_value(argument, memory) for argument in launch.arguments),
        grid=launch.grid,
        block=launch.block,
        shared=launch.shared_bytes,
    )


def _value(argument, memory):
    if isinstance(argument, (Buffer, Constant)):
        return memory[argument]
    return np.float32(argument) if isinstance(argument, float) else np.int32(argument)
