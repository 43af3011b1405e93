# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Heads that read the last layer's sums: the deployed network is still the trained one."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.engine.reference import ReferenceEngine  # noqa: E402
from mbu_ros.network.edges import center_edges  # noqa: E402
from mbu_ros.network.quantize import rounded  # noqa: E402
from mbu_ros.network.unet import HEAD_INPUTS, Precision, UNet  # noqa: E402

from .test_edges import network_with_every_gamma  # noqa: E402
from .test_restore import assert_equal, deployed, restored  # noqa: E402
from .test_unet import centered, images  # noqa: E402

SIZE = (24, 19)
SUMS = ['relu', 'sums']


def network_of(head_input, masked='all'):
    """Gammas of every sign, 0 among them; edges are anywhere in the last layer alone."""
    network = network_with_every_gamma(masked)
    last = network.last_layer.norm
    beta = last.bias.detach().clone()
    center_edges(network)
    network.set_quantizers(head_input=head_input)
    with torch.no_grad():
        last.bias.copy_(beta)
        network.head.conv.bias.copy_(torch.linspace(-0.3, 0.3, 6))
    return network


def read_by_head(network, frames):
    """What the head of the trained network reads, [N, channels, H, W]."""
    seen = []
    handle = network.head.register_forward_hook(lambda _, inputs, logits: seen.append(inputs[0]))
    with torch.no_grad():
        logits = network(centered(frames))
    handle.remove()
    return seen[0], logits


@pytest.mark.parametrize('masked', ['all', 'none'])
@pytest.mark.parametrize('head_input', SUMS)
def test_logits_are_those_of_the_deployed_network(head_input, masked):
    network, frames = network_of(head_input, masked), images(3, SIZE, 5)
    center_edges(network)
    model = deployed(network)
    assert model.head.lowest == HEAD_INPUTS[head_input]
    _, logits = read_by_head(network, frames)
    for ours, frame in zip(logits, frames):
        expected = ReferenceEngine(model).logits(frame) * model.head.scale
        np.testing.assert_allclose(ours.permute(1, 2, 0), expected, atol=1e-3 * np.ptp(expected))


@pytest.mark.parametrize('head_input', SUMS)
def test_a_head_reads_whole_numbers_in_its_range(head_input):
    network = network_of(head_input)
    read, _ = read_by_head(network, images(2, SIZE))
    torch.testing.assert_close(read, read.round(), rtol=0, atol=0)
    assert HEAD_INPUTS[head_input] <= read.min() and read.max() <= 127
    assert len(read.unique()) > 10


def test_relu_is_what_is_positive_of_the_sums():
    frames = images(2, SIZE)
    relu, sums = (read_by_head(network_of(head_input), frames)[0] for head_input in SUMS)
    assert sums.min() < 0
    torch.testing.assert_close(relu, sums.clamp(min=0))


@pytest.mark.parametrize('head_input', SUMS)
def test_centering_edges_changes_nothing(head_input):
    network = network_of(head_input)
    before, model = read_by_head(network, images(2, SIZE))[0], deployed(network)
    center_edges(network)
    torch.testing.assert_close(read_by_head(network, images(2, SIZE))[0], before)
    assert_equal(model, deployed(network))


@pytest.mark.parametrize('head_input', SUMS)
def test_sums_that_are_a_little_off_change_nothing_once_edges_are_centered(head_input):
    network, frames = network_of(head_input), images(2, SIZE)
    center_edges(network)
    expected, _ = read_by_head(network, frames)
    unit = network.last_layer.unit().reshape(-1, 1, 1)

    def disturb(_norm, _inputs, features):
        return features + 0.8 * (torch.rand_like(features) - 0.5) * unit

    handle = network.last_layer.norm.register_forward_hook(disturb)
    varies = network.last_layer.norm.weight != 0
    found, _ = read_by_head(network, frames)
    handle.remove()
    torch.testing.assert_close(found[:, varies], expected[:, varies])


@pytest.mark.parametrize('masked', ['all', 'none'])
@pytest.mark.parametrize('head_input', SUMS)
def test_it_is_restored_from_its_model(head_input, masked):
    network = network_of(head_input, masked)
    center_edges(network)
    model = deployed(network)
    again = restored(model)
    assert again.last_layer.head_input == head_input
    other = deployed(again)
    # A largest weight of less than 127 has another scale the next time.
    frame = images(1, SIZE, 9)[0]
    ours, theirs = (ReferenceEngine(one).logits(frame) * one.head.scale for one in (other, model))
    np.testing.assert_allclose(ours, theirs, atol=0.02 * np.ptp(theirs))
    last = model.layers['decoder.0.conv2'].threshold
    np.testing.assert_array_equal(other.layers['decoder.0.conv2'].threshold, last)


@pytest.mark.parametrize('precision', list(Precision))
@pytest.mark.parametrize('head_input', SUMS)
def test_gradients_reach_everything(head_input, precision):
    network = UNet(4, 1, 5).set_precision(precision)
    network.set_quantizers(head_input=head_input)
    network(centered(images(2, (8, 10)))).square().sum().backward()
    for name, parameter in network.named_parameters():
        if not name.endswith('threshold_gain'):
            assert parameter.grad.abs().sum() > 0, name


def test_a_float_network_is_what_it_is():
    network = UNet(4, 1, 5).eval()
    expected = network(centered(images(1, SIZE)))
    for head_input in HEAD_INPUTS:
        network.set_quantizers(head_input=head_input)
        torch.testing.assert_close(network(centered(images(1, SIZE))), expected)


def test_rounded_numbers_have_the_gradient_of_what_they_were():
    x = torch.tensor([-200.0, -3.4, 0.6, 5.5, 300.0], requires_grad=True)
    y = rounded(x.clamp(-128, 127))
    y.sum().backward()
    assert y.tolist() == [-128, -3, 1, 6, 127]
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
