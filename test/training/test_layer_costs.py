# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a second plane costs, with a GPU that is not there."""

from types import SimpleNamespace

import pytest

from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.engine.cuda.launch import DeviceLimits
from mbu_ros.engine.cuda.network_plan import network_plan
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import layer_shapes
from mbu_ros.network.masking import layer_operations
from mbu_ros.training import layer_costs
from mbu_ros.training.layer_costs import GpuTimer, measure_costs

SHAPES = layer_shapes(8, 2, 3)
SIZE = 32, 48
NAMES = [shape.name for shape in SHAPES if shape.is_binary]
TIMER = GpuTimer(8, 2, 3, SIZE)


def launch_name(layer):
    # Its kernel does the head, too.
    return 'decoder.0.conv2+head' if layer == 'decoder.0.conv2' else layer


class Engine:
    """One plane takes 2 ms, a second one of layer number i takes i ms; each time is one of noise.

    The first layer's second plane costs nothing, as a GPU with nothing to do may have it.
    """

    device = 'fake GPU (sm_87)'
    made = []

    def __init__(self, model):
        assert (model.width, model.depth, model.input_size) == (8, 2, SIZE)
        self.model, self.closed, self.rounds = model, False, 0
        Engine.made.append(self)

    def session(self, formats):
        assert [(f.encoding, f.height, f.width) for f in formats] == [('rgb8', *SIZE)]
        return self

    def fill(self, slot, frame):
        assert frame.shape == (*SIZE, 3) and frame.any()
        self.filled = frame.tobytes()

    def launch_milliseconds(self, repeat):
        self.rounds += 1
        noise = 100.0 if self.rounds == 2 else 0.0
        times = [('resize', 50.0), ('encoder.0.conv1', 50.0), ('mask', 50.0)]
        for index, name in enumerate(NAMES):
            planes = self.model.layers[name].planes
            # In two launches, as large layers may be.
            times += [(name, 2.0 + noise), (name, float(index) * (planes - 1))]
        return [(SimpleNamespace(layer=launch_name(name)), time) for name, time in times]

    def device_milliseconds(self, repeat):
        masked = sum(layer.planes == 2 for layer in self.model.layers.values())
        return [10.0 + masked]

    def close(self):
        self.closed = True


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(layer_costs, 'CudaEngine', Engine)
    monkeypatch.setattr(Engine, 'made', [])
    return Engine


def test_costs_are_what_a_second_plane_takes_longer(engine):
    costs = measure_costs(TIMER)
    assert costs.measured and costs.unit == 'milliseconds'
    assert costs.reason == 'measured on fake GPU (sm_87)'
    assert costs.one_plane == dict.fromkeys(NAMES, 2.0)
    assert costs.two_planes == {name: 2.0 + i for i, name in enumerate(NAMES)}
    assert costs.second == {name: float(i) or 0.02 for i, name in enumerate(NAMES)}
    assert all(engine.closed for engine in Engine.made)


def test_launches_are_called_as_the_fake_calls_them():
    model = random_model(width=8, depth=2, classes=3, input_size=SIZE)
    launches = network_plan(model, 1, False, DeviceLimits(87, 16, 166912)).launches
    assert {launch.layer for launch in launches} >= {launch_name(name) for name in NAMES}


def test_a_network_is_timed_whole(engine):
    plan = {**dict.fromkeys(NAMES, 1), 'up.0': 2, 'up.1': 2}
    assert TIMER.network(plan) == 12.0
    (made,) = Engine.made
    assert made.closed and made.model.plan == plan


@pytest.mark.parametrize('error', [EngineUnavailable, EngineError])
def test_without_a_gpu_costs_are_operations_and_it_says_why(monkeypatch, error):
    def unavailable(model):
        raise error('no NVIDIA driver')

    monkeypatch.setattr(layer_costs, 'CudaEngine', unavailable)
    costs = measure_costs(TIMER)
    assert not costs.measured and costs.unit == 'operations'
    assert 'no NVIDIA driver' in costs.reason
    assert costs.second == layer_operations(SHAPES, SIZE)
