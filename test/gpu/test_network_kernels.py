# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every launch of a network, alone, against NumPy on the very bits that it read."""

import dataclasses

import pytest

from mbu_ros.model.random import random_model

from ..engine.cuda.network_cases import check_launches, plan_of
from . import runner

INSTRUCTIONS = ['mma', 'wgmma']


@pytest.fixture(scope='module')
def run():
    return runner.run_launches


@pytest.fixture(scope='module')
def limits():
    return runner.device_limits()


@pytest.fixture(params=INSTRUCTIONS)
def instruction(request, limits):
    if request.param == 'wgmma' and limits.architecture != 90:
        pytest.skip('only Hopper has wgmma')
    return request.param


@pytest.mark.parametrize('planes', [2, 1, 'mixed'])
@pytest.mark.parametrize(
    'width, depth, classes, size, batch',
    [
        (64, 4, 11, (64, 96), 1),
        (64, 3, 5, (50, 70), 2),
        (16, 2, 3, (16, 16), 8),
        (32, 5, 2, (70, 130), 1),
        (48, 3, 20, (45, 33), 3),
        (96, 2, 9, (40, 52), 1),
        (128, 2, 4, (24, 40), 2),
    ],
)
def test_network(run, limits, instruction, planes, width, depth, classes, size, batch):
    model = random_model(
        width=width, depth=depth, classes=classes, input_size=size, seed=width + depth,
        plan=plan_of(planes, width, depth, classes),
    )
    check_launches(run, limits, model, batch, instruction, confidence=batch % 2 == 1)


@pytest.mark.parametrize('lowest', [0, -128])
@pytest.mark.parametrize('planes', [2, 1])
@pytest.mark.parametrize(
    'width, size', [(16, (33, 47)), (64, (64, 96)), (96, (17, 37)), (128, (24, 40))]
)
def test_heads_that_read_sums(run, limits, instruction, planes, width, size, lowest):
    model = random_model(
        width=width, depth=2, classes=11, input_size=size, seed=width,
        plan=plan_of(planes, width, 2, 11), lowest=lowest,
    )
    check_launches(run, limits, model, 2, instruction, confidence=True)


def test_network_of_many_tiles(run, limits, instruction):
    """More tiles than groups, so that every block goes through several rounds."""
    model = random_model(
        width=64, depth=2, classes=11, input_size=(512, 640), seed=3, plan=plan_of(2, 64, 2, 11)
    )
    check_launches(run, limits, model, 1, instruction)


@pytest.mark.parametrize('planes', [2, 1])
@pytest.mark.parametrize('width', [32, 64, 96])
@pytest.mark.parametrize(
    'multiprocessors, shared', [(1, 65536), (2, 101376), (16, 166912), (8, 232448)]
)
def test_network_shared_out_as_on_a_smaller_gpu(
    run, limits, instruction, planes, width, multiprocessors, shared
):
    """Few multiprocessors and little memory: many rounds, and weights that do not stay."""
    shared = min(shared, limits.shared_per_block)
    few = dataclasses.replace(limits, multiprocessors=multiprocessors, shared_per_block=shared)
    model = random_model(
        width=width, depth=3, classes=9, input_size=(64, 96), seed=width,
        plan=plan_of(planes, width, 3, 9),
    )
    check_launches(run, few, model, 2, instruction)
