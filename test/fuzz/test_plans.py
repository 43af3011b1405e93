# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the CUDA engine decides on the CPU: plans for odd networks, frames and devices."""

import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.frame_format import ENCODINGS, FrameFormat
from mbu_ros.engine.cuda.launch import Buffer, Constant, DeviceLimits
from mbu_ros.engine.cuda.network_plan import network_constant
from mbu_ros.engine.cuda.session_plan import session_plan
from mbu_ros.errors import InputError
from mbu_ros.model.random import random_model

from .bounds import bounded, outcome
from .image_cases import PIXEL_BYTES
from .mutations import uint32

MOST_BLOCKS = (2**31 - 1, 65535, 65535)
"""What CUDA takes of a grid."""

sides = st.integers(1, 70) | st.sampled_from([255, 256, 1023, 1080, 2048, 4095, 16384])
limits = st.builds(
    DeviceLimits,
    architecture=st.sampled_from([80, 86, 87, 89, 90, 100, 120]),
    multiprocessors=st.integers(1, 200),
    shared_per_block=st.sampled_from([49_152, 101_376, 101_376, 166_912, 232_448]),
)


@st.composite
def formats(draw):
    """A frame, mostly good; tables are as long as its sides."""
    encoding = draw(st.sampled_from(ENCODINGS))
    height, width = (draw(sides) // 2 * 2 + 2 for _ in range(2))
    padding = draw(st.sampled_from([0, 0, 1]))
    match draw(st.integers(0, 30)):
        case 0:
            height, width = draw(uint32), draw(uint32)
        case 1:
            padding = 2**31
    step = width * PIXEL_BYTES[encoding] + padding
    return encoding, height, width, step


@st.composite
def networks(draw):
    return random_model(
        width=draw(st.integers(1, 40) | st.sampled_from([64, 65, 128])),
        depth=draw(st.integers(1, 3)),
        classes=draw(st.integers(1, 20) | st.just(254)),
        input_size=(draw(sides), draw(sides)),
        seed=draw(st.integers(0, 9)),
        lowest=draw(st.sampled_from([None, 0, -128])),
    )


@settings(max_examples=25)
@given(networks(), st.lists(formats(), min_size=1, max_size=8), st.booleans(), limits)
@example(
    random_model(width=64, depth=1, input_size=(16384, 16384)),
    [('rgb8', 2, 2, 6)] * 8,
    True,
    DeviceLimits(87, 16, 166_912),
)
def test_plans(model, frames, confidence, limits):
    def plan():
        found = [FrameFormat(*frame) for frame in frames]
        return found, session_plan(model, found, confidence, limits)

    found = outcome(plan, refusals=(InputError, EngineUnavailable))
    if found is None:
        return
    formats, planned = found
    buffers = {**planned.activations, **planned.frames, **planned.masks}
    assert all(size > 0 for size in buffers.values())
    constants = {}
    for launch in planned.launches:
        assert all(1 <= n <= most for n, most in zip(launch.grid, MOST_BLOCKS))
        assert 1 <= launch.block[0] * launch.block[1] * launch.block[2] <= 1024
        assert 0 <= launch.shared_bytes <= limits.shared_per_block
        for argument in launch.arguments:
            if isinstance(argument, Buffer):
                assert argument.name in buffers
            elif isinstance(argument, Constant):
                constants[argument.name] = argument
            elif isinstance(argument, int):
                assert -(2**31) <= argument < 2**31, 'kernels take C ints'
    assert set(planned.tables) <= set(constants)
    for index, form in enumerate(formats):
        assert buffers[f'frame{index}'] == form.bytes
        assert buffers[f'mask{index}'] == form.height * form.width
    with bounded(model):
        for name in planned.parameters:
            assert network_constant(model, name).size
