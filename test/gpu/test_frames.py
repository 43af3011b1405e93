# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frame kernels on a GPU: every byte that they write is the CPU path's."""

import pytest

from mbu_ros.engine.cuda.frame_format import ENCODINGS

from ..engine.cuda.frame_cases import CASES, check_input, check_mask
from .runner import run_launches

LARGE = [
    ((512, 512), 4, (720, 1280)),
    ((368, 480), 4, (1080, 1920)),
    ((1024, 2048), 4, (1024, 2048)),
]


@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('case', CASES + LARGE, ids=str)
def test_input_is_the_cpu_path_to_the_bit(encoding, case):
    check_input(run_launches, encoding, case)


@pytest.mark.parametrize('encoding', ENCODINGS)
@pytest.mark.parametrize('extra', [1, 2, 4, 8, 13, 16])
def test_padded_rows(encoding, extra):
    for case in (CASES[1], CASES[5]):
        check_input(run_launches, encoding, case, extra)


def test_each_frame_goes_to_its_slot():
    for case in (CASES[1], CASES[4]):
        check_input(run_launches, 'rgb8', case, slots=2)


@pytest.mark.parametrize('slot', [0, 2])
@pytest.mark.parametrize('case', CASES + LARGE, ids=str)
def test_mask_is_the_cpu_path_to_the_bit(case, slot):
    check_mask(run_launches, case, slot)


def test_rows_beyond_the_largest_grid():
    check_mask(run_launches, ((4, 4), 2, (600_000, 1)))
