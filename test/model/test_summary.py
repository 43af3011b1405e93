# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.model.random import random_model
from mbu_ros.model.summary import layer_costs


def test_costs_add_up():
    model = random_model(width=16, depth=2, classes=3, input_size=(30, 40), seed=2)
    costs = {cost.shape.name: cost for cost in layer_costs(model)}
    # Padded to 32x40: two operations for each of 9 * 16 * 16 weights at each pixel, per plane.
    conv2 = costs['encoder.0.conv2']
    assert conv2.operations == 2 * 9 * 16 * 16 * 32 * 40 * conv2.planes
    # One word a tap and output channel and plane, and one threshold a channel.
    assert conv2.size == 4 * 9 * 16 * conv2.planes + 4 * 16
    for name, layer in model.layers.items():
        zeros = costs[name].zeros
        assert zeros == 0 if layer.planes == 1 else zeros == pytest.approx(1 / 3, abs=0.05)
    assert costs['head'].operations == 2 * 16 * 3 * 32 * 40


def test_costs_of_the_layers_that_are_not_binary():
    model = random_model(width=16, depth=1, classes=3, input_size=(32, 40), seed=2)
    model.first.weight[:] = 0
    model.first.weight[:4] = 1
    model.head.weight[:] = 0
    model.head.weight[0, :12] = 1
    costs = layer_costs(model)
    first, head = costs[0], costs[-1]
    assert (first.planes, first.zeros, first.size) == (0, 0.75, 16 * 27 + 4 * 16)
    assert (head.planes, head.zeros, head.size) == (0, 0.75, 3 * 16 + 4 * 3)
    assert first.operations == 2 * 27 * 16 * 32 * 40


def test_a_second_plane_doubles_the_operations():
    plan = dict.fromkeys(random_model(width=16, depth=1, seed=2).layers, 1)
    one, two = (
        layer_costs(random_model(width=16, depth=1, seed=2, plan=dict.fromkeys(plan, planes)))
        for planes in (1, 2)
    )
    assert [2 * cost.operations for cost in one[1:-1]] == [c.operations for c in two[1:-1]]
