# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import random

import pytest

from mbu_ros.errors import InputError
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import layer_shapes
from mbu_ros.model.summary import layer_costs
from mbu_ros.network.masking import (
    budget_share,
    greedy_plan,
    layer_operations,
    make_plan,
    plan_operations,
)

SHAPES = layer_shapes(16, 2, 3)
SIZE = 45, 61  # padded to 48x64


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


def test_operations_are_those_of_the_deployed_model():
    plan = make_plan(SHAPES, 'encoder.*,up.0')
    model = random_model(width=16, depth=2, classes=3, input_size=SIZE, plan=plan)
    costs = layer_costs(model)
    assert plan_operations(SHAPES, SIZE, plan) == sum(cost.operations for cost in costs)
    expected = {c.shape.name: c.operations // c.planes for c in costs if c.shape.is_binary}
    assert layer_operations(SHAPES, SIZE) == expected


def test_operations_of_one_layer_by_hand():
    # 3x3 taps, 16 to 16 channels, every pixel of 48x64, two operations per multiply-add.
    assert layer_operations(SHAPES, SIZE)['encoder.0.conv2'] == 2 * 9 * 16 * 16 * 48 * 64
    # 2x2 taps, 32 to 16 channels, on the map of half the size.
    assert layer_operations(SHAPES, SIZE)['up.0'] == 2 * 4 * 32 * 16 * 24 * 32


@pytest.mark.parametrize('times', [1.0, 1.2, 1.5])
def test_a_budget_of_operations_is_kept_and_spent(times):
    operations = layer_operations(SHAPES, SIZE)
    plan = greedy_plan(operations, operations, budget_share(SHAPES, SIZE, times))
    binary = plan_operations(SHAPES, SIZE, make_plan(SHAPES, 'none'))
    used = plan_operations(SHAPES, SIZE, plan)
    assert used <= times * binary
    left = [operations[name] for name, planes in plan.items() if planes == 1]
    assert used + min(left) > times * binary


def test_budgets_of_operations_out_of_range():
    assert budget_share(SHAPES, SIZE, 2) == 1
    for times in (0.99, 2.01, math.nan):
        with pytest.raises(InputError, match='from 1 .no layer masked. to 2'):
            budget_share(SHAPES, SIZE, times)


GAINS = {'a': 4.0, 'b': 3.0, 'c': 8.0, 'd': 0.0, 'e': -1.0}
COSTS = {'a': 1.0, 'b': 1.0, 'c': 4.0, 'd': 1.0, 'e': 1.0}


def taken(budget, gains=GAINS, costs=COSTS, **options):
    plan = greedy_plan(gains, costs, budget, **options)
    assert list(plan) == list(gains) and set(plan.values()) <= {1, 2}
    return ''.join(name for name, planes in plan.items() if planes == 2)


def test_gain_per_cost_decides():
    assert taken(0) == ''
    assert taken(1 / 8) == 'a'
    assert taken(2 / 8) == 'ab'
    assert taken(6 / 8) == 'abc'


def test_a_layer_that_does_not_fit_is_passed_over():
    gains = {**GAINS, 'd': 0.5}
    assert taken(3 / 8, gains) == 'abd'  # not c, although it is before d
    assert taken(3 / 8, {**gains, 'c': 40.0}) == 'abd'
    assert taken(4 / 8, {**gains, 'c': 40.0}) == 'c'


def test_layers_of_no_gain_come_last_and_all_are_taken_with_the_whole_budget():
    assert taken(7 / 8) == 'abcd'
    assert taken(1) == 'abcde'
    costs = {name: 0.1 * cost for name, cost in COSTS.items()}  # whose sum is no exact float
    assert taken(1, costs=costs) == 'abcde'


def test_running_order_decides_between_equals():
    equal = dict.fromkeys('dbac', 1.0)
    assert taken(0.5, equal, dict(sorted(equal.items()))) == 'db'


def test_the_budget_may_be_counted_in_something_else():
    sizes = {'a': 7.0, 'b': 1.0, 'c': 1.0, 'd': 0.5, 'e': 0.5}
    assert taken(0.2, sizes=sizes) == 'bc'
    assert taken(0.8, sizes=sizes) == 'ab'
    assert taken(0.2) == 'a'


def test_a_budget_is_never_exceeded_nor_left_unspent():
    numbers = random.Random(0)
    for _ in range(200):
        costs = {name: numbers.uniform(0.01, 3) for name in 'abcdefgh'}
        gains = {name: numbers.uniform(-1, 3) for name in costs}
        budget = numbers.random()
        plan = greedy_plan(gains, costs, budget)
        used = sum(costs[name] for name, planes in plan.items() if planes == 2)
        room = budget * sum(costs.values())
        assert used <= room * (1 + 1e-6)
        # Nothing that was left out would have fitted.
        assert all(used + costs[name] > room for name, planes in plan.items() if planes == 1)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'costs': {'a': 1.0}}, "same layers; 'b'"),
        ({'sizes': {**COSTS, 'z': 1.0}}, "same layers; 'z'"),
        ({'costs': {**COSTS, 'c': 0.0}}, "cost of layer 'c' is 0.0"),
        ({'costs': {**COSTS, 'c': math.inf}}, "cost of layer 'c' is inf"),
        ({'sizes': {**COSTS, 'c': -1.0}}, "size of layer 'c' is -1.0"),
        ({'gains': {**GAINS, 'd': math.nan}}, "gain of layer 'd' is nan"),
    ],
)
def test_figures_that_cannot_be(changes, message):
    arguments = {'gains': GAINS, 'costs': COSTS, 'budget': 0.5, **changes}
    with pytest.raises(InputError, match=message):
        greedy_plan(**arguments)


@pytest.mark.parametrize('budget', [-0.01, 1.01, math.nan])
def test_shares_out_of_range(budget):
    with pytest.raises(InputError, match='from 0 .no layer masked. to 1'):
        greedy_plan(GAINS, COSTS, budget)
