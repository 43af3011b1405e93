# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How launches get their arguments and buffers their places."""

import numpy as np
import pytest

from mbu_ros.engine.base import EngineError
from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.kernels import Kernels, pack_arguments
from mbu_ros.engine.cuda.launch import Buffer, Constant, Launch
from mbu_ros.engine.cuda.memory import ALIGNMENT, Arena, Constants, lay_out

from .fake_gpu import view


def launch(*arguments, kernel='toy', shared_bytes=0):
    return Launch('layer', 'toy', kernel, (2, 3, 1), (64, 1, 1), shared_bytes, arguments)


def test_buffers_do_not_overlap():
    sizes = {'a': 1, 'b': 256, 'c': 257, 'empty': 0, 'd': 5}
    offsets, total = lay_out(sizes)
    end = 0
    for name, size in sizes.items():
        assert offsets[name] % ALIGNMENT == 0 and offsets[name] >= end
        end = offsets[name] + size
    assert end <= total < end + ALIGNMENT
    assert lay_out({}) == ({}, 0)


def test_arguments_in_order_with_their_types():
    types, values = pack_arguments(
        launch(Buffer('x'), 3, Constant('x'), -1, 0.5, np.int64(7), True), {'x': 10}, {'x': 20}
    )
    assert (types, values) == ('PiPifii', [10, 3, 20, -1, 0.5, 7, 1])


@pytest.mark.parametrize(
    ('argument', 'text'),
    [(Buffer('y'), "Buffer.*'y'"), (Constant('x'), "Constant.*'x'"), (1 << 31, 'out of range')],
)
def test_arguments_that_cannot_be(argument, text):
    with pytest.raises(EngineError, match=f"toy of toy for 'layer'.*{text}"):
        pack_arguments(launch(argument), {'x': 10}, {})


def test_a_kernel_keeps_the_most_shared_memory_that_it_was_given(install):
    gpu = install()
    device = Device()
    kernels = Kernels(device)
    with device:
        kernels.load(['toy'])
        for size in (1000, 90_000, 60_000, 49_152, 100_000):
            kernels.bind(launch(1, shared_bytes=size), {}, {})
        with pytest.raises(EngineError, match='no kernel missing'):
            kernels.bind(launch(kernel='missing'), {}, {})
    assert gpu.attributes == [('shared', 1000), ('shared', 90_000), ('shared', 100_000)]
    device.close()


def test_constants_arrive_whole(install):
    gpu = install()
    device = Device()
    arrays = {
        'words': np.arange(100, dtype=np.uint32),
        'transposed': np.arange(12, dtype=np.int8).reshape(3, 4).T,
        'scalar': np.array(7, np.int32),
    }
    with device:
        constants = Constants(device, arrays)
        for name, array in arrays.items():
            found = view(constants.addresses[name], array.size, array.dtype)
            np.testing.assert_array_equal(found, array.reshape(-1))
        assert gpu.used == constants.bytes
        for _ in range(2):
            constants.free()
        assert gpu.used == 0
        assert Constants(device, {}).addresses == {}
    device.close()


def test_the_arena_moves_only_to_grow(install):
    gpu = install(memory=10_000)
    device = Device()
    with device:
        arena = Arena(device)
        arena.reserve(1000)
        generation = arena.generation
        assert arena.reserve(500) == arena.reserve(1000) and arena.generation == generation
        arena.reserve(1001)
        assert arena.generation != generation and gpu.used == 1001
        generation = arena.generation
        with pytest.raises(gpu.driver.MemoryError):
            arena.reserve(20_000)
        assert arena.generation != generation and gpu.used == 0
        arena.reserve(100)
        arena.free()
        assert gpu.used == 0
    device.close()


def test_a_device_is_current_only_inside_of_with(install):
    gpu = install()
    device = Device()
    assert not gpu.stack
    with pytest.raises(ZeroDivisionError), device, device:
        assert len(gpu.stack) == 1
        raise ZeroDivisionError
    assert not gpu.stack
    device.close()
