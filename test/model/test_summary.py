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
