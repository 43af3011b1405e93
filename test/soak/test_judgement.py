# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The judgement of a soak on series made for the purpose: leaks fail it, noise does not."""

import numpy as np
import pytest

from mbu_ros.soak.judgement import FEWEST_SAMPLES, judge, warm_up
from mbu_ros.soak.quantities import QUANTITIES, quantities

QUANTITY = {quantity.key: quantity for quantity in QUANTITIES}
SECONDS, STEP = 1800.0, 10.0
TIMES = np.arange(STEP, SECONDS + 1, STEP)
BEGIN = warm_up(SECONDS)


def judged(key, values):
    return judge(QUANTITY[key], list(TIMES), list(values), BEGIN)


def noise(seed, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, len(TIMES))


def test_the_first_minutes_are_not_judged():
    assert warm_up(1800) == 300 and warm_up(86400) == 300 and warm_up(180) == 60
    filling = 100 + 80 * np.minimum(TIMES / BEGIN, 1)
    verdict = judged('rss_mb', filling)
    assert not verdict.grows and verdict.growth == 0 and verdict.p == 1


@pytest.mark.parametrize(
    'key, level, leak',
    [
        ('rss_mb', 150.0, 10.0 / 1500),  # 10 MB in 25 minutes
        ('gpu_mb', 500.0, 20.0 / 1500),
        ('threads', 24, 1 / 1000),
        ('handles', 20, 1 / 1000),
        ('p99_ms', 20.0, 6.0 / 1500),
    ],
)
@pytest.mark.parametrize('seed', range(5))
def test_a_leak_fails_and_noise_does_not(key, level, leak, seed):
    whole = key in ('threads', 'handles')
    jitter = noise(seed, 0 if whole else 0.01 * level)
    calm = level + jitter
    growing = calm + leak * TIMES
    if whole:
        calm, growing = np.floor(calm), np.floor(growing)
    verdict = judged(key, calm)
    assert not verdict.grows, verdict
    verdict = judged(key, growing)
    assert verdict.grows, verdict
    assert verdict.growth == pytest.approx(leak * (SECONDS - BEGIN), rel=0.4)
    assert verdict.last > verdict.first
    assert not judged(key, growing[::-1]).grows, 'what shrinks is no leak'


@pytest.mark.parametrize('size', [(480, 640), (1080, 1920)])
def test_a_megabyte_a_minute_fails_half_an_hour(size):
    quantity, *_ = quantities(size, 0.0)
    values = 230 + TIMES / 60 + noise(4)
    assert judge(quantity, list(TIMES), list(values), BEGIN).grows


def test_a_leak_in_steps_fails():
    assert judged('rss_mb', 150 + 8 * np.floor(TIMES / 400) + noise(1, 0.1)).grows


def test_a_step_in_the_middle_fails_and_an_early_one_does_not():
    assert judged('rss_mb', 150 + 20.0 * (TIMES > 1000)).grows
    assert not judged('rss_mb', 150 + 20.0 * (TIMES > 500)).grows


def test_outliers_are_no_growth():
    values = 20 + noise(3, 0.5)
    values[-40::8] = 500  # other processes had the machine
    assert not judged('p99_ms', values).grows


def test_a_trend_that_is_certain_but_tiny_is_no_growth():
    verdict = judged('rss_mb', 150 + TIMES / 1500)
    assert verdict.p < 1e-6 and verdict.growth == pytest.approx(1.0, rel=0.01)
    assert not verdict.grows


def test_noise_alone_hardly_ever_fails():
    # A walk drifts, and much of it looks like a trend: only what is larger than the grain counts.
    failed = sum(judged('p99_ms', 20 + noise(seed, 8.0)).grows for seed in range(200))
    assert failed <= 4
    walks = (np.cumsum(noise(seed, 0.05)) for seed in range(100))
    assert not any(judged('rss_mb', 150 + walk).grows for walk in walks)


def test_too_few_samples_are_not_judged():
    values = [1.0] * (FEWEST_SAMPLES - 1)
    assert judge(QUANTITY['rss_mb'], range(len(values)), values, 0) is None
    assert judged('gpu_mb', [None] * len(TIMES)) is None
    assert judge(QUANTITY['rss_mb'], range(len(values) + 1), [*values, 1.0], 0) is not None


def test_samples_without_a_value_are_left_out():
    values = [None if index % 3 else 150 + 0.01 * time for index, time in enumerate(TIMES)]
    assert judged('rss_mb', values).grows
