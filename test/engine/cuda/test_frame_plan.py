# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frame launches without a GPU: the tables, the plan, and the kernels themselves as plain C++."""

import cv2
import numpy as np
import pytest

from mbu_ros.engine.cuda.frame_format import ENCODINGS, FrameFormat
from mbu_ros.engine.cuda.frame_plan import frame_constants, input_launches, mask_launches
from mbu_ros.engine.cuda.launch import Buffer, Constant
from mbu_ros.engine.cuda.resize_tables import linear_table, nearest_table
from mbu_ros.errors import InputError

from .frame_cases import CASES, check_input, check_mask, make_format, make_model
from .host_kernels import COMPILER, run_launches

needs_compiler = pytest.mark.skipif(COMPILER is None, reason='g++ is not installed')


def resized(pixels, height, width):
    """The bilinear resize as the tables say it: uint8 [h, w] to [height, width]."""
    (row, below), (column, right) = (
        linear_table(source, target).T for source, target in zip(pixels.shape, (height, width))
    )
    wide = pixels.astype(np.int64)
    next_row, next_column = (np.minimum(i + 1, n - 1) for i, n in zip((row, column), wide.shape))
    lines = wide[:, column] * (256 - right) + wide[:, next_column] * right
    below = below[:, None]
    sums = lines[row] * (256 - below) + lines[next_row] * below
    return ((sums + (1 << 15)) >> 16).astype(np.uint8)


def test_linear_tables_resize_as_opencv_does():
    random = np.random.default_rng(0)
    sizes = np.exp(random.uniform(0, np.log(300), (1500, 4))).astype(int)
    # Here half of the positions would round otherwise if the scale were 49 / 256.
    for h, w, height, width in [(49, 211, 256, 256), *sizes]:
        pixels = random.integers(0, 256, (h, w), np.uint8)
        expected = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
        case = f'{h}x{w} to {height}x{width}'
        np.testing.assert_array_equal(resized(pixels, height, width), expected, case)


@pytest.mark.parametrize('source', [1, 2, 3, 1079, 1920, 65_537, 100_000_000])
@pytest.mark.parametrize('target', [1, 2, 512, 2047])
def test_tables_stay_inside_the_frame(source, target):
    index, following = linear_table(source, target).T
    assert len(index) == target and index.min() >= 0 and index.max() <= max(source - 2, 0)
    assert following.min() >= 0 and following.max() <= 256
    if target < source < 100_000:
        nearest = nearest_table(source, target)
        assert nearest.dtype == np.int32 and nearest.min() >= 0 and nearest.max() < source
        centres = (np.arange(target) + 0.5) * source / target
        assert np.abs(nearest + 0.5 - centres).max() <= 0.5


def test_nearest_table_is_exact_for_the_largest_frames():
    pixels = 100_000_000
    table = nearest_table(2047, pixels)
    for x in (0, 1, pixels // 3, pixels - 1):
        assert table[x] == (2 * x + 1) * 2047 // (2 * pixels)


@needs_compiler
@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('case', CASES, ids=str)
def test_input_is_the_cpu_path_to_the_bit(encoding, case):
    check_input(run_launches, encoding, case)


@needs_compiler
@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('extra', [1, 2, 4, 8, 13, 16])
def test_padded_rows(encoding, extra):
    for case in (CASES[1], CASES[5]):
        check_input(run_launches, encoding, case, extra)


@needs_compiler
def test_each_frame_goes_to_its_slot():
    for case in (CASES[1], CASES[4]):
        check_input(run_launches, 'rgb8', case, slots=2)


@needs_compiler
@pytest.mark.parametrize('encoding', ['uyvy', 'yuyv', 'nv12'])
def test_every_part_of_the_colour_space(encoding):
    check_input(run_launches, encoding, ((256, 512), 2, (256, 512)))


@needs_compiler
@pytest.mark.parametrize('slot', [0, 2])
@pytest.mark.parametrize('case', CASES, ids=str)
def test_mask_is_the_cpu_path_to_the_bit(case, slot):
    check_mask(run_launches, case, slot)


@needs_compiler
def test_rows_beyond_the_largest_grid():
    check_mask(run_launches, ((4, 4), 2, (600_000, 1)))


def test_launches_use_what_the_engine_provides():
    model = make_model((48, 64), 2)
    for size in ((48, 64), (31, 45)):
        format = make_format('bgr8', size)
        constants = frame_constants(model, format)
        launches = input_launches(model, format, 3) + mask_launches(model, format, 3, True)
        arguments = [argument for launch in launches for argument in launch.arguments]
        buffers = {argument.name for argument in arguments if isinstance(argument, Buffer)}
        assert buffers == {'frame3', 'image', 'labels', 'mask3', 'confidence', 'scores3'}
        used = {argument.name for argument in arguments if isinstance(argument, Constant)}
        assert used == set(constants)
        assert all(-(2**31) <= value < 2**31 for value in arguments if isinstance(value, int))
        assert [launch.layer for launch in launches] == ['resize', 'mask', 'mask']
    assert len(mask_launches(model, format, 0, confidence=False)) == 1


def test_a_frame_of_the_networks_size_is_not_interpolated():
    model = make_model((48, 64), 2)
    format = make_format('yuv422', (48, 64))
    assert input_launches(model, format, 0)[0].kernel == 'convert_uyvy'
    assert not any(name.startswith('linear') for name in frame_constants(model, format))


def test_constants_of_one_name_are_the_same():
    model = make_model((48, 64), 2)
    found = {}
    for size in ((31, 45), (45, 31), (64, 48), (31, 64)):
        for name, table in frame_constants(model, make_format('mono8', size)).items():
            np.testing.assert_array_equal(found.setdefault(name, table), table)


def test_format_counts_its_bytes():
    assert FrameFormat('rgb8', 5, 7, 21).bytes == 105
    assert FrameFormat('rgb8', 5, 7, 32).bytes == 160
    assert FrameFormat('nv12', 6, 8, 10).bytes == 90
    assert FrameFormat('rgba8', 10_000, 10_000, 40_000).bytes == 400_000_000


@pytest.mark.parametrize(
    'arguments, words',
    [
        (('bayer_rggb8', 4, 4, 4), 'bayer_rggb8.*publish one of rgb8'),
        (('rgb8', 0, 4, 12), 'empty'),
        (('rgb8', 4, -1, 12), 'empty'),
        (('rgb8', 4, 4, 11), 'step 11.*12'),
        (('mono8', 1, 4, 2**31), 'at most 2147483647'),
        (('mono8', 10_001, 10_000, 10_000), 'too large'),
        (('yuyv', 4, 5, 10), 'even'),
        (('nv12', 5, 4, 4), 'even'),
    ],
)
def test_format_refuses_what_does_not_fit(arguments, words):
    with pytest.raises(InputError, match=words):
        FrameFormat(*arguments)
