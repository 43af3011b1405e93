# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network kernels without a GPU: as plain C++ with the GPU's instructions emulated.

Every bit that they write must be NumPy's; what they do to barriers, rings and asynchronous products
is checked on the way (see emulation/). Speed, and what nvcc makes of the kernels, is not.
"""

import dataclasses
import random

import pytest

from mbu_ros.engine.cuda import network_plan
from mbu_ros.engine.cuda.launch import DeviceLimits, Launch
from mbu_ros.engine.cuda.tiling import possible_tilings
from mbu_ros.model.random import random_model

from .emulation.emulated_kernels import UNAVAILABLE, Emulation, EmulationError
from .network_cases import check_launches, plan_of

pytestmark = pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE))

# So few multiprocessors that blocks go through several rounds, and rings around.
LIMITS = {80: DeviceLimits(80, 2, 166912), 90: DeviceLimits(90, 2, 232448)}
KINDS = [(80, 'mma'), (90, 'mma'), (90, 'wgmma')]
"""Architecture (at 80 threads copy the weights, at 90 the bulk copy engine) and instruction."""

# Planes, width, depth, classes, size, batch.
CASES = [
    (1, 16, 3, 3, (18, 34), 2),
    (2, 16, 1, 70, (16, 16), 1),
    (1, 48, 2, 20, (18, 34), 3),
    (2, 48, 1, 20, (18, 34), 3),
    (1, 64, 1, 11, (34, 52), 1),
    (2, 64, 2, 11, (18, 34), 1),
    ('mixed', 64, 3, 11, (24, 40), 2),
    (1, 96, 1, 9, (17, 37), 1),
    (2, 96, 2, 9, (17, 37), 1),
    (1, 128, 2, 4, (26, 40), 1),
    (2, 128, 1, 4, (26, 40), 2),
]

# Planes, width, depth: together they need every kernel but those of the last layer's other widths.
SHARED_OUT = [(1, 64, 2), (2, 64, 2), (1, 32, 1)]
SHARES = [(64, 1), (64, 2), (64, 3), (128, 1), (128, 2)]
"""Columns of a slice and groups of a block."""


def make_model(planes, width, depth, classes, size, lowest=None):
    return random_model(
        width=width, depth=depth, classes=classes, input_size=size, seed=width + depth,
        plan=plan_of(planes, width, depth, classes), lowest=lowest,
    )


@pytest.fixture(scope='module')
def emulations():
    return {architecture: Emulation(architecture) for architecture in LIMITS}


@pytest.fixture
def share_out(monkeypatch):
    """A function after which layers have these columns and groups where they can.

    The shared memory that they use varies, so that weights stay in some and pass through in others.
    """

    def use(columns, groups):
        chance = random.Random(columns + groups)

        def choose(product, instruction, tiles, limits, candidates):
            limits = dataclasses.replace(
                limits, shared_per_block=chance.choice([32 << 10, 48 << 10, 100 << 10])
            )
            found = possible_tilings(product, instruction, tiles, limits, candidates)
            found = found or possible_tilings(
                product, instruction, tiles, LIMITS[limits.architecture], candidates
            )
            return min(found, key=lambda one: (one.columns != columns, abs(one.groups - groups)))

        monkeypatch.setattr(network_plan, 'choose_tiling', choose)

    return use


@pytest.mark.parametrize('planes, width, depth, classes, size, batch', CASES)
@pytest.mark.parametrize('architecture, instruction', KINDS)
def test_network(
    emulations, architecture, instruction, planes, width, depth, classes, size, batch
):
    check_launches(
        emulations[architecture].run_launches,
        LIMITS[architecture],
        make_model(planes, width, depth, classes, size),
        batch,
        instruction,
        confidence=batch % 2 == 1,
    )


@pytest.mark.parametrize(
    'planes, width, lowest', [(1, 16, -128), (2, 64, 0), (1, 128, 0), (2, 128, -128)]
)
@pytest.mark.parametrize('architecture, instruction', KINDS)
def test_heads_that_read_sums(emulations, architecture, instruction, planes, width, lowest):
    model = make_model(planes, width, 1, 11, (18, 34), lowest)
    run, limits = emulations[architecture].run_launches, LIMITS[architecture]
    check_launches(run, limits, model, 2, instruction, confidence=planes == 2)


@pytest.mark.parametrize('columns, groups', SHARES)
@pytest.mark.parametrize('planes, width, depth', SHARED_OUT)
@pytest.mark.parametrize('architecture, instruction', KINDS)
def test_any_way_to_share_out_the_work(
    emulations, share_out, architecture, instruction, planes, width, depth, columns, groups
):
    if instruction == 'mma' and columns == 128:
        pytest.skip('no such kernel')
    share_out(columns, groups)
    model = make_model(planes, width, depth, 5, (26, 36))
    limits = dataclasses.replace(LIMITS[architecture], multiprocessors=1)
    check_launches(emulations[architecture].run_launches, limits, model, 1, instruction)


def test_every_kernel_is_in_a_case(emulations, share_out):
    used = {architecture: set() for architecture in LIMITS}

    def add(*network):
        model = make_model(*network)
        for architecture, instruction in KINDS:
            plan = network_plan.network_plan(model, 1, True, LIMITS[architecture], instruction)
            used[architecture] |= {launch.kernel for launch in plan.launches}

    for *network, _ in CASES:
        add(*network)
    for columns, groups in SHARES:
        share_out(columns, groups)
        for network in SHARED_OUT:
            add(*network, 5, (26, 36))
    for architecture, emulation in emulations.items():
        assert used[architecture] == emulation.kernels


FAULTY = """
#include "ptx.cuh"
#include "wgmma.cuh"
using namespace mbu;
#define FAULTY(name) extern "C" __global__ void name()
#define BARRIER shared_address(shared)

// Every lane waits for an arrival; only 31 of 32 arrive.
FAULTY(deadlock) {
  wait_for_previous_kernel();
  if (threadIdx.x == 0) barrier_init(BARRIER, 32);
  __syncthreads();
  if (threadIdx.x) barrier_arrive(BARRIER);
  barrier_wait(BARRIER, 0);
}
FAULTY(divergence) {
  wait_for_previous_kernel();
  if (threadIdx.x < 16) __syncwarp();
  else __shfl_xor_sync(0xffffffff, 1, 1);
}
FAULTY(no_barrier) {
  wait_for_previous_kernel();
  barrier_arrive(BARRIER + 64);
}
FAULTY(many_arrivals) {
  wait_for_previous_kernel();
  if (threadIdx.x == 0) {
    barrier_init(BARRIER, 1);
    barrier_init(BARRIER + 8, 1);
    bulk_copy(BARRIER + 16, shared, 16, BARRIER);
    barrier_arrive(BARRIER);
  }
}
FAULTY(misaligned) {
  wait_for_previous_kernel();
  uint32_t words[4];
  load_matrices(words, BARRIER + 8);
}
FAULTY(outside) {
  wait_for_previous_kernel();
  uint32_t words[4];
  load_matrices(words, BARRIER + 16 * threadIdx.x + 256);
}
FAULTY(no_wait_for_products) {
  wait_for_previous_kernel();
  int sums[8][4] = {};
  const uint32_t a[4] = {};
  wgmma_fence();
  Wgmma<64>::multiply(sums, a, BARRIER >> 4);
  wgmma_commit();
}
FAULTY(no_fence) {
  wait_for_previous_kernel();
  int sums[8][4] = {};
  uint32_t a[4];
  wgmma_fence();
  load_matrices(a, BARRIER);
  Wgmma<64>::multiply(sums, a, BARRIER >> 4);
  wgmma_commit();
  wgmma_wait<0>();
}
FAULTY(no_wait_for_kernel) {}
"""


@pytest.fixture(scope='module')
def faulty(tmp_path_factory):
    folder = tmp_path_factory.mktemp('faulty')
    (folder / 'faulty.cu').write_text('#include "dependent_launch.cuh"\n' + FAULTY)
    return Emulation(90, ('faulty',), folder)


@pytest.mark.parametrize(
    'kernel, words',
    [
        ('deadlock', 'nobody can go on\n  warp 0 lanes 0-31 wait for parity 0 .* lacks 1 of 32'),
        ('divergence', '__syncwarp.*__shfl_xor_sync|__shfl_xor_sync.*__syncwarp'),
        ('no_barrier', 'no barrier was initialized at shared 64'),
        ('many_arrivals', 'one arrival too many'),
        ('misaligned', 'not aligned'),
        ('outside', 'outside of 512 bytes'),
        ('no_wait_for_products', 'without waiting for its products'),
        ('no_fence', 'after the last wgmma.fence'),
        ('no_wait_for_kernel', 'wait_for_previous_kernel was not called'),
    ],
)
def test_what_a_kernel_must_not_do_is_reported(faulty, kernel, words):
    launch = Launch('layer', 'faulty', kernel, (1, 1, 1), (32, 1, 1), 512, ())
    with pytest.raises(EmulationError, match=words):
        faulty.run_launches([launch], {}, {'buffer': 100})
