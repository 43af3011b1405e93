# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.errors import InputError
from mbu_ros.model.structure import layer_shapes
from mbu_ros.network.masking import make_plan

SHAPES = layer_shapes(16, 2, 3)


def test_all_and_none():
    binary = [shape.name for shape in SHAPES if shape.is_binary]
    assert make_plan(SHAPES, 'all') == dict.fromkeys(binary, 2)
    assert make_plan(SHAPES, 'none') == dict.fromkeys(binary, 1)
    assert 'head' not in binary and 'encoder.0.conv1' not in binary


def test_patterns():
    plan = make_plan(SHAPES, 'encoder.1.*, up.0')
    assert {name for name, planes in plan.items() if planes == 2} == {
        'encoder.1.conv1',
        'encoder.1.conv2',
        'up.0',
    }


def test_a_pattern_that_names_nothing():
    with pytest.raises(InputError, match="'head' names no layer; .*encoder.0.conv2"):
        make_plan(SHAPES, 'head')
