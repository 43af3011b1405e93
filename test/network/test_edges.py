# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Edges between integers: the same network, which no rounding can change any more."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from torch.nn import functional  # noqa: E402

from mbu_ros.engine.reference import ReferenceEngine  # noqa: E402
from mbu_ros.network import unet  # noqa: E402
from mbu_ros.network.edges import center_edges  # noqa: E402

from .test_restore import assert_equal, deployed  # noqa: E402
from .test_unet import centered, exercised, images  # noqa: E402

SIZE = (24, 19)


def network_with_every_gamma(masked='all'):
    """Edges above, below and at an integer, and channels that are constant."""
    network = exercised(8, 2, SIZE, masked)
    for layer in network.layers.values():
        norm = layer.norm
        with torch.no_grad():
            norm.weight[0], norm.bias[0] = 0.0, -0.5
            norm.weight[1] = -norm.weight[1].abs()
            norm.weight[2:4] = norm.weight[2:4].abs() + 0.1
            norm.bias[2], norm.running_mean[2] = 0.0, 3.0
            norm.bias[3], norm.running_mean[3] = 0.0, 3.00001
    return network


@pytest.mark.parametrize('masked', ['all', 'none', 'encoder.*'])
def test_what_is_deployed_stays_the_same(masked):
    network = network_with_every_gamma(masked)
    model = deployed(network)
    center_edges(network)
    assert_equal(model, deployed(network))


def test_sums_that_are_not_exact_change_nothing(monkeypatch):
    network = network_with_every_gamma()
    frames = images(3, SIZE, 5)
    expected = [ReferenceEngine(deployed(network)).logits(f).argmax(-1) for f in frames]
    convolve = functional.conv2d

    def inexact(x, weight, *args, **options):
        y = convolve(x, weight, *args, **options)
        inner = weight.shape[-1] == 3
        return y + 0.8 * (torch.rand_like(y) - 0.5) if inner else y

    def wrong():
        labels = network(centered(frames)).argmax(1).numpy()
        return (labels != np.stack(expected)).mean()

    with torch.no_grad():
        monkeypatch.setattr(unet.functional, 'conv2d', inexact)
        assert wrong() > 0.05
        center_edges(network)
        assert wrong() == 0
        monkeypatch.undo()
        assert wrong() == 0  # which rounding alone kept it from before
