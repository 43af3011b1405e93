# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import copy

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training.averaging import Average  # noqa: E402


def averaged(decay, values):
    """The average of a weight that takes these values, one a step, after the first."""
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(values[0])
        average = Average(network, decay)
        for value in values[1:]:
            network.weight.fill_(value)
            average.update()
    result = copy.deepcopy(network)
    average.copy_to(result)
    return result.weight.item(), average


def test_it_decays_at_its_own_rate_once_it_is_warm():
    # After 1000 steps at 0 the start counts no more; then come five at 1.
    value, average = averaged(0.9, [5.0, *[0.0] * 1000, *[1.0] * 5])
    assert value == pytest.approx(1 - 0.9**5, abs=1e-5) and average.steps == 1005


def test_it_follows_fast_at_first():
    value, _ = averaged(0.999, [0.0, 1.0, 1.0])
    assert value == pytest.approx(1 - (2 / 11) * (3 / 12))


def test_without_decay_it_is_the_network_itself():
    assert averaged(0.0, [1.0, 2.0, 7.0])[0] == 7


def test_going_on_from_a_state():
    network = torch.nn.Linear(1, 1, bias=False)
    value, average = averaged(0.5, [0.0, 4.0, 8.0])
    other = Average(network, 0.5)
    other.load_state(average.state())
    other.copy_to(network)
    assert network.weight.item() == value and other.steps == 2
