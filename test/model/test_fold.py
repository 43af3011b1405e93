# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folding against the arithmetic that it replaces, done here in plain float64."""

import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.model.deployed import ALWAYS, NEVER
from mbu_ros.model.fold import BatchNorm, fold_binary, fold_first, fold_head
from mbu_ros.model.structure import CONV, UP, LayerShape


def make_norm(random, channels, **changes):
    values = {
        'gamma': random.normal(0, 1, channels),
        'beta': random.normal(0, 1, channels),
        'mean': random.normal(0, 5, channels),
        'variance': random.uniform(1, 50, channels),
    }
    values.update(changes)
    return BatchNorm(**values, eps=1e-5)


def apply(norm, y):
    return norm.gamma * (y - norm.mean) / np.sqrt(norm.variance + norm.eps) + norm.beta >= 0


@pytest.mark.parametrize('planes', [1, 2])
@pytest.mark.parametrize('kind', [CONV, UP])
@pytest.mark.parametrize('sign', [1, -1, 0])
def test_folded_bits_equal_batch_norm_and_sign(planes, kind, sign):
    random = np.random.default_rng(planes * 10 + sign)
    shape = LayerShape('layer', kind, (24,), 40, 1)
    taps = 9 if kind == CONV else 4
    weight = random.integers(-1, 2, (40, taps, 24)).astype(np.int8)
    if planes == 1:
        weight[weight == 0] = 1
    norm = make_norm(random, 40)
    norm = make_norm(random, 40, gamma=sign * np.abs(norm.gamma))
    layer = fold_binary(shape, weight, planes, norm)
    folded = layer.weights(shape).astype(int)

    for _ in range(200):
        bits = random.integers(0, 2, (taps, 24))
        signs = 2 * bits - 1
        if kind == CONV:
            acc = (folded * bits).sum(axis=(1, 2))
            y = (weight.astype(int) * signs).sum(axis=(1, 2))
            np.testing.assert_array_equal(acc >= layer.threshold, apply(norm, y))
        else:  # each output comes from one tap
            for tap in range(4):
                acc = (folded[:, tap] * bits[tap]).sum(axis=1)
                y = (weight[:, tap].astype(int) * signs[tap]).sum(axis=1)
                np.testing.assert_array_equal(acc >= layer.threshold[:, tap], apply(norm, y))


def test_on_the_edge_the_bit_is_one_for_either_sign_of_gamma():
    # y = mean exactly and beta = 0, so the batch norm gives 0, whose sign counts as +1.
    shape = LayerShape('layer', CONV, (1,), 2, 0)
    weight = np.ones((2, 9, 1), np.int8)
    zeros, ones = np.zeros(2), np.ones(2)
    norm = BatchNorm(np.array([1.0, -1.0]), zeros, 3 * ones, ones, 0.0)
    layer = fold_binary(shape, weight, 1, norm)
    weights = layer.weights(shape).astype(int)
    # 6 of 9 bits set is y = 2 * 6 - 9 = 3.
    for count, expected in [(5, [False, True]), (6, [True, True]), (7, [True, False])]:
        bits = (np.arange(9) < count).astype(int)[None, :, None]
        assert ((weights * bits).sum(axis=(1, 2)) >= layer.threshold).tolist() == expected


@pytest.mark.filterwarnings('error')
def test_gamma_zero_gives_a_constant_bit():
    shape = LayerShape('layer', CONV, (4,), 3, 0)
    norm = BatchNorm(np.zeros(3), np.array([1.0, 0.0, -1.0]), np.ones(3), np.ones(3), 1e-5)
    layer = fold_binary(shape, np.ones((3, 9, 4), np.int8), 1, norm)
    assert layer.threshold.tolist() == [ALWAYS, ALWAYS, NEVER]
    norm = BatchNorm(np.zeros(3), np.zeros(3), np.zeros(3), np.ones(3), 1e-5)  # 0 / 0
    layer = fold_binary(shape, np.ones((3, 9, 4), np.int8), 1, norm)
    assert layer.threshold.tolist() == [ALWAYS] * 3


def test_gamma_that_is_almost_zero_gives_a_constant_bit_too():
    shape = LayerShape('layer', CONV, (4,), 4, 0)
    gamma = np.array([1e-30, 1e-30, -1e-30, -1e-30])
    norm = BatchNorm(gamma, np.array([1.0, -1.0, 1.0, -1.0]), np.zeros(4), np.ones(4), 1e-5)
    layer = fold_binary(shape, np.ones((4, 9, 4), np.int8), 1, norm)
    assert layer.threshold.tolist() == [ALWAYS, NEVER, ALWAYS, NEVER]


def test_eps_keeps_a_variance_of_zero_from_deciding():
    shape = LayerShape('layer', CONV, (1,), 1, 0)
    norm = BatchNorm(np.ones(1), np.full(1, -1.0), np.zeros(1), np.zeros(1), 9.0)
    layer = fold_binary(shape, np.ones((1, 9, 1), np.int8), 1, norm)
    # y - 0 >= 1 * sqrt(0 + 9), and y = 2 acc - 9.
    assert layer.threshold.tolist() == [6]


@pytest.mark.parametrize('sign', [1, -1])
def test_first_layer_equals_its_float_form(sign):
    random = np.random.default_rng(5)
    weight = random.integers(-127, 128, (20, 3, 3, 3)).astype(np.int8)
    scale = random.uniform(0.001, 0.1, 20)
    mean = (120, 7, 255)
    norm = make_norm(random, 20, gamma=sign * random.uniform(0.1, 2, 20))
    first = fold_first(weight, scale, mean, norm)
    for _ in range(200):
        window = random.integers(0, 256, (3, 3, 3))
        window[0] = mean  # a border row
        y = scale * (weight.astype(int) * (window - np.array(mean))).sum(axis=(1, 2, 3))
        acc = (first.weight.astype(int) * (window - 128)).sum(axis=(1, 2, 3))
        np.testing.assert_array_equal(acc >= first.threshold, apply(norm, y))


def test_head_logits_are_the_float_ones_within_the_rounding_of_the_bias():
    random = np.random.default_rng(6)
    weight = random.integers(-127, 128, (7, 32)).astype(np.int8)
    bias = random.normal(0, 3, 7)
    head = fold_head(weight, 0.02, bias)
    bits = random.integers(0, 2, (50, 32))
    exact = 0.02 * (2 * bits - 1) @ weight.astype(int).T + bias
    integer = bits @ weight.astype(int).T + head.bias
    assert np.abs(integer * head.scale - exact).max() <= 0.02 + 1e-9


def test_parameters_that_are_not_finite_are_refused():
    shape = LayerShape('encoder.1.conv1', CONV, (4,), 2, 0)
    norm = BatchNorm(np.array([1.0, np.nan]), np.zeros(2), np.zeros(2), np.ones(2), 1e-5)
    with pytest.raises(InputError, match='encoder.1.conv1.*not finite'):
        fold_binary(shape, np.ones((2, 9, 4), np.int8), 1, norm)
    with pytest.raises(InputError, match='head.*not finite'):
        fold_head(np.ones((2, 4), np.int8), float('inf'), np.zeros(2))


def test_zeros_in_a_layer_of_one_plane_are_refused():
    shape = LayerShape('layer', CONV, (4,), 2, 0)
    norm = BatchNorm(np.ones(2), np.zeros(2), np.zeros(2), np.ones(2), 1e-5)
    with pytest.raises(InputError, match='two planes'):
        fold_binary(shape, np.zeros((2, 9, 4), np.int8), 1, norm)


def test_what_is_folded_is_stored_in_the_types_of_a_model_file():
    random = np.random.default_rng(8)
    shape = LayerShape('layer', CONV, (40, 24), 16, 1)
    weight = random.integers(-1, 2, (16, 9, 64)).astype(np.int8)
    weight[weight == 0] = 1
    one, two = (fold_binary(shape, weight, planes, make_norm(random, 16)) for planes in (1, 2))
    assert one.minus is None and two.planes == 2
    assert two.plus.shape == two.minus.shape == (16, 9, 3)  # 40 and 24 channels: 2 words and 1
    assert (one.plus.dtype, one.threshold.dtype) == (np.uint32, np.int32)
    first = fold_first(
        np.full((2, 3, 3, 3), 127, np.int8), np.ones(2), (1, 2, 3), make_norm(random, 2)
    )
    assert (first.weight.dtype, first.threshold.dtype) == (np.int8, np.int32)
    head = fold_head(weight[:, 0], 0.5, np.zeros(16))
    np.testing.assert_array_equal(head.weight, weight[:, 0])
    assert head.bias.dtype == np.int32 and head.scale == 1.0


def test_parameters_of_float32_are_folded_in_float64():
    # Channels whose batch norm is 0 but for the rounding of float32.
    random = np.random.default_rng(9)
    channels = 4000
    norm = make_norm(random, channels, variance=random.uniform(1e-4, 1, channels))
    single = [np.float32(v) for v in (norm.gamma, norm.beta, norm.mean, norm.variance)]
    double = [np.float64(v) for v in single]
    weight = random.integers(-127, 128, (channels, 3, 3, 3)).astype(np.int8)
    scale = np.full(channels, 1e-5)  # small, so that thresholds have many digits
    thresholds = [
        fold_first(weight, scale, (9, 9, 9), BatchNorm(*values, 1e-5)).threshold
        for values in (single, double)
    ]
    np.testing.assert_array_equal(*thresholds)
    bias = np.float32(random.normal(0, 1000, channels))
    biases = [
        fold_head(weight[:, 0, 0], 1e-5, values).bias for values in (bias, np.float64(bias))
    ]
    np.testing.assert_array_equal(*biases)


@pytest.mark.parametrize('scale', [0.0, -1.0, np.nan, np.inf])
def test_scales_of_the_first_layer_that_are_not_positive_are_refused(scale):
    norm = make_norm(np.random.default_rng(1), 2)
    weight = np.ones((2, 3, 3, 3), np.int8)
    with pytest.raises(InputError, match='^encoder.0.conv1 has scales that are not positive'):
        fold_first(weight, np.array([1.0, scale]), (1, 2, 3), norm)
    bad = make_norm(np.random.default_rng(1), 2, beta=np.array([0.0, np.inf]))
    with pytest.raises(InputError, match="^layer 'encoder.0.conv1' has parameters"):
        fold_first(weight, np.ones(2), (1, 2, 3), bad)


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('scale', [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize('bias', [0.0, 1.0])
def test_a_head_without_a_scale_is_refused(bias, scale):
    with pytest.raises(InputError, match='head has parameters'):
        fold_head(np.ones((2, 4), np.int8), scale, np.full(2, bias))


def test_biases_of_the_head_up_to_what_a_model_file_may_hold():
    weight = np.zeros((1, 4), np.int8)
    limit = 2.0**31  # twice 2**30: the integer logits are in units of twice the scale
    assert fold_head(weight, 1.0, np.array([limit - 2])).bias.tolist() == [2**30 - 1]
    for bias in (limit, -limit):
        with pytest.raises(InputError, match='out of range'):
            fold_head(weight, 1.0, np.array([bias]))
