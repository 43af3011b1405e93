# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import copy
import math

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from torch.nn import functional  # noqa: E402

from mbu_ros.network.masking import make_plan, weight_sparsity  # noqa: E402
from mbu_ros.network.unet import Precision, UNet  # noqa: E402
from mbu_ros.training.sensitivity import (  # noqa: E402
    measure_gains,
    quantization_sensitivity,
    rank_correlation,
    uniformity,
)
from mbu_ros.training.settling import settle  # noqa: E402

torch.set_num_threads(1)  # such small networks take longer with more


@pytest.fixture
def network():
    """A U-Net with batch norm statistics and signs of gamma such as training gives."""
    torch.manual_seed(0)
    network = UNet(4, 2, 3)
    for layer in network.layers.values():
        torch.nn.init.normal_(layer.norm.weight)
        torch.nn.init.normal_(layer.norm.bias)
    settle(network, [frames(seed) for seed in range(2)])
    return network.eval()


def frames(seed=0):
    return 60 * torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(seed))


def spoil(network):
    """An `adapt` that changes every parameter and statistic."""
    network.train()
    for parameter in network.parameters():
        parameter.data.add_(1.0)
    network(frames())


def state(network):
    return copy.deepcopy(network.state_dict()), network.plan, network.training


def assert_unchanged(network, before):
    tensors, plan, training = before
    assert (network.plan, network.training) == (plan, training)
    for name, value in network.state_dict().items():
        assert torch.equal(value, tensors[name]), name


@pytest.mark.parametrize('masked', ['all', 'none', 'encoder.*'])
def test_gains_are_told_from_either_side(network, masked):
    """With a loss that each layer with one plane adds a known amount to."""
    amounts = {name: 0.1 * index - 0.3 for index, name in enumerate(network.plan)}

    def loss(trial):
        return 5 + sum(amounts[name] for name, planes in trial.plan.items() if planes == 1)

    heard = {}
    gains = measure_gains(
        network, make_plan(network.shapes, masked), loss, lambda trial: None, heard.__setitem__
    )
    assert list(gains) == list(amounts)
    assert gains == pytest.approx(amounts)
    assert heard == gains


def test_a_gain_of_a_true_network(network):
    """By hand, for one layer."""
    images = frames(3)
    target = network(images).detach()

    def loss(trial):
        assert all(layer.precision is Precision.QUANTIZED for layer in trial.layers.values())
        return functional.mse_loss(trial(images), target).item()

    plan = make_plan(network.shapes)
    gains = measure_gains(network, plan, loss, lambda trial: settle(trial, [images]))
    trial = copy.deepcopy(network)
    losses = []
    for planes in (1, 2):
        trial.set_precision(Precision.QUANTIZED, {**plan, 'up.1': planes})
        settle(trial, [images])
        losses.append(loss(trial))
    assert gains['up.1'] == pytest.approx(losses[0] - losses[1])
    assert gains['up.1'] != 0


def test_the_network_stays_as_it_is_and_each_copy_is_adapted(network):
    before = state(network)
    adapted = []

    def adapt(trial):
        assert torch.equal(trial.head.conv.weight, network.head.conv.weight)  # not yet spoilt
        spoil(trial)
        adapted.append(trial)

    measure_gains(network, make_plan(network.shapes), lambda trial: 0.0, adapt)
    quantization_sensitivity(network, 2, lambda trial: 0.0, adapt)
    assert len(adapted) == 2 * (len(network.plan) + 1)
    assert_unchanged(network, before)


def test_the_network_stays_as_it_is_when_a_measurement_fails(network):
    before = state(network)

    def fail(trial):
        spoil(trial)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_gains(network, make_plan(network.shapes, 'none'), fail, spoil)
    assert_unchanged(network, before)


@pytest.mark.parametrize('planes', [1, 2])
@pytest.mark.parametrize('name', ['encoder.0.conv2', 'encoder.1.conv1', 'up.0', 'decoder.0.conv1'])
def test_one_layer_alone_is_quantised(network, name, planes):
    """That layer sees bits, its weights are quantised, and nothing else of the network is."""
    images = frames(4)
    inputs, sums_of = {}, {}

    def watch(trial):
        for shape in trial.shapes[:-1]:
            layer = trial.layer(shape.name)
            layer.norm.register_forward_pre_hook(
                lambda norm, args, key=shape.name: sums_of.__setitem__(key, args[0])
            )
            layer.register_forward_hook(
                lambda layer, args, out, key=shape.name: inputs.__setitem__(key, (args[0], out))
            )
        trial(images)

    seen = {}
    original = copy.deepcopy(network)
    watch(original)
    plain, plain_sums = dict(inputs), dict(sums_of)
    rises = quantization_sensitivity(
        network,
        planes,
        lambda trial: trial(images).mean().item(),
        lambda trial: seen.update({quantised(trial): trial}),
    )
    assert list(rises) == list(network.plan) and set(seen) == {None, *network.plan}
    trial = seen[name]
    watch(trial)
    layer = trial.layer(name)
    weight = layer.quantized_weight()
    assert set(weight.unique().tolist()) == ({-1.0, 0.0, 1.0} if planes == 2 else {-1.0, 1.0})
    sums = convolve(name, torch.where(plain[name][0] > 0, 1.0, -1.0), weight)
    assert torch.equal(sums_of[name], sums)  # of small integers
    torch.testing.assert_close(inputs[name][1], functional.relu(layer.norm(sums)))
    order = list(plain)
    for other in order[1:]:
        read, gave = inputs[other]
        assert gave.min() == 0 and len(gave.unique()) > 2  # ReLU
        assert read.min() >= 0
    for other in order[: order.index(name)]:
        assert torch.equal(sums_of[other], plain_sums[other])


def convolve(name, bits, weight):
    """The sums of a quantised layer, of signs with a border of -1."""
    if name.startswith('up'):
        return functional.conv_transpose2d(bits, weight, stride=2)
    return functional.conv2d(functional.pad(bits, (1, 1, 1, 1), value=-1.0), weight)


def quantised(trial):
    """Name of the layer of a copy that is quantised, if one is."""
    names = [
        layer.shape.name
        for layer in trial.layers.values()
        if layer.precision is not Precision.FLOAT
    ]
    assert len(names) <= 1
    return names[0] if names else None


def test_a_skip_connection_stays_float(network):
    """encoder.1.conv1 reads what is pooled of encoder.0.conv2, decoder.0.conv1 what is not."""
    skips = []

    def loss(trial):
        hook = trial.layer('decoder.0.conv1').register_forward_pre_hook(
            lambda layer, args: skips.append((quantised(trial), args[0][:, :4].detach()))
        )
        trial(frames())
        hook.remove()
        return 0.0

    quantization_sensitivity(network, 2, loss, lambda trial: None)
    by_layer = dict(skips)
    assert torch.equal(by_layer['encoder.1.conv1'], by_layer[None])
    assert not torch.equal(by_layer['encoder.0.conv2'], by_layer[None])


def test_the_signs_of_a_float_layer_are_the_bits_of_the_deployed_one(network):
    """Quantising a layer's input changes nothing where the network has bits anyway."""
    images = frames(6)
    binary = copy.deepcopy(network).set_precision(Precision.BINARY_ACTIVATIONS)
    expected, seen = [], []
    name = 'encoder.1.conv1'
    binary.layer(name).register_forward_pre_hook(lambda layer, args: expected.append(args[0]))
    # So that both reach this layer with the same values: the first layer is int8 in one of them.
    with torch.no_grad():
        for trial in (binary, network):
            trial.layer('encoder.0.conv2').weight.zero_()
            trial.layer('encoder.0.conv2').norm.bias.copy_(torch.tensor([-1.0, -0.5, 0.5, 1.0]))
            trial.layer('encoder.0.conv2').norm.running_mean.zero_()
    binary(images)

    def loss(trial):
        if quantised(trial) == name:
            layer = trial.layer(name)
            hook = layer.norm.register_forward_pre_hook(lambda norm, args: seen.append(args[0]))
            trial(images)
            hook.remove()
            expected.append(convolve(name, expected[0], layer.quantized_weight()))
        return 0.0

    quantization_sensitivity(network, 1, loss, lambda trial: None)
    assert set(expected[0].unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(seen[0], expected[1])


def test_settling_takes_plain_means(network):
    batches = [frames(seed) for seed in (1, 2, 3)]
    network.layer('encoder.0.conv1').norm.running_mean.fill_(100.0)
    settle(network, batches)
    layer = network.layer('encoder.0.conv1')
    sums = [functional.conv2d(batch / 64, layer.weight, padding=1) for batch in batches]
    expected = torch.stack([one.mean(dim=(0, 2, 3)) for one in sums]).mean(dim=0)
    torch.testing.assert_close(layer.norm.running_mean, expected)
    assert not network.training and layer.norm.momentum == 0.1


def test_sparsity_is_of_the_layers_with_two_planes(network):
    network.set_precision(Precision.QUANTIZED, make_plan(network.shapes, 'up.*'))
    weight = network.layer('up.0').weight
    weight.data[:] = 1.0
    weight.data[:2] = 0.1  # of 8 input channels
    zeros = weight_sparsity(network)
    assert list(zeros) == ['up.1', 'up.0']
    assert zeros['up.0'] == 0.25
    assert 0.2 < zeros['up.1'] < 0.7  # of normally distributed weights, about 0.42


def test_rank_correlation():
    first = {'a': 1.0, 'b': 2.0, 'c': 30.0, 'd': 4.0}
    assert rank_correlation(first, {'d': 0.3, 'c': 0.9, 'b': 0.2, 'a': 0.1}) == pytest.approx(1)
    assert rank_correlation(first, {k: -v for k, v in first.items()}) == pytest.approx(-1)
    # 1 - 6 sum(d^2) / (n (n^2 - 1)) without ties
    second = {'a': 2.0, 'b': 1.0, 'c': 3.0, 'd': 4.0}
    assert rank_correlation(first, second) == pytest.approx(1 - 6 * 4 / (4 * 15))
    # Equals share the mean of their ranks: (0.5, 0.5, 2, 3) against (0, 1, 3, 2).
    tied = {'a': 7.0, 'b': 7.0, 'c': 8.0, 'd': 9.0}
    assert rank_correlation(first, tied) == pytest.approx(3.5 / math.sqrt(5 * 4.5))
    assert math.isnan(rank_correlation(first, dict.fromkeys('abcd', 1.0)))


def test_uniformity():
    figures = uniformity({'a': 1.0, 'b': 2.0, 'c': 6.0})
    assert figures == pytest.approx(
        {'mean': 3, 'least': 1, 'median': 2, 'most': 6, 'variation': (14 / 3) ** 0.5 / 3}
    )
    assert uniformity({'a': -1.0, 'b': 1.0})['variation'] is None
    assert uniformity({'a': 2.0, 'b': 2.0})['variation'] == 0
