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


def test_gamma_zero_gives_a_constant_bit():
    shape = LayerShape('layer', CONV, (4,), 3, 0)
    norm = BatchNorm(np.zeros(3), np.array([1.0, 0.0, -1.0]), np.ones(3), np.ones(3), 1e-5)
    layer = fold_binary(shape, np.ones((3, 9, 4), np.int8), 1, norm)
    assert layer.threshold.tolist() == [ALWAYS, ALWAYS, NEVER]


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
