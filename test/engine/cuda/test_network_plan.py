# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plans against the kernels they launch: their names, parameters, rings and tiles.

What the kernels expect is taken from their own headers, compiled as plain C++.
"""

import ctypes
import functools
import re
import subprocess

import numpy as np
import pytest

from mbu_ros.data.sample import ClassMap
from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.launch import Buffer, Constant, DeviceLimits
from mbu_ros.engine.cuda.layout import product_of
from mbu_ros.engine.cuda.network_plan import network_constant, network_plan
from mbu_ros.engine.cuda.tiling import BARRIER_BYTES, tiles_of
from mbu_ros.model.deployed import BinaryLayer, Head, Model
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import FIRST, UP, layer_shapes, padded_size

from .host_kernels import COMPILER, FLAGS, HERE, KERNELS

pytestmark = pytest.mark.skipif(COMPILER is None, reason='needs g++')

LIMITS = {
    'A100': DeviceLimits(80, 108, 166912),
    'RTX 3090': DeviceLimits(86, 82, 101376),
    'Orin': DeviceLimits(87, 16, 166912),
    'RTX 4090': DeviceLimits(89, 128, 101376),
    'H200': DeviceLimits(90, 132, 232448),
}

PROGRAM = """
#include "host_cuda.h"
#define __host__
struct alignas(16) int4 { int x, y, z, w; };
static int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static int __popc(unsigned x) { return __builtin_popcount(x); }
static size_t __cvta_generic_to_shared(const void *) { return 0; }
static void __syncwarp() {}
#include "KERNELS/tile_loader.cuh"
using namespace mbu;

template <class S>
void describe(int *to) {
  const int facts[] = {S::kStageBytes, S::kSteps, S::kWeightSteps, S::kWeightStages, S::kChunks,
                       S::kPlaceOffset};
  for (int fact : facts) *to++ = fact;
}

// One stage of a tile as `shares` warps of 32 lanes write it.
template <class S>
void load(const Sources &sources, int tile, int stages, int shares, unsigned char *stage) {
  const TileWalk walk(sources, tile, 1);
  for (int thread = 0; thread < 32 * shares; thread++) {
    TileLoader<S> loader(sources, thread, 32 * shares);
    loader.move_to(walk);
    for (int n = 0; n < stages; n++) {
      typename TileLoader<S>::Pixels pixels;
      loader.fetch(pixels, n * S::kChunks);
      loader.deposit(pixels, stage + n * S::kStageBytes, n == 0);
    }
  }
}

#define KIND(name, ...)                                                                         \\
  extern "C" void describe_##name(int *to) { describe<Schedule<__VA_ARGS__>>(to); }             \\
  extern "C" void load_##name(const unsigned char *first, const unsigned char *second,          \\
                              const int *numbers, int tile, int stages, int shares,             \\
                              unsigned char *to) {                                              \\
    const int *n = numbers;                                                                     \\
    load<Schedule<__VA_ARGS__>>({first, second, n[0], n[1], n[2], n[3], n[4]}, tile, stages,    \\
                                shares, to);                                                    \\
  }
KIND(ternary_9, Operand::kTernary, 9, 1)
KIND(ternary64_9, Operand::kTernary64, 9, 1)
KIND(binary_9, Operand::kBinary, 9, 2)
KIND(binary128_9, Operand::kBinary128, 9, 1)
KIND(ternary_1, Operand::kTernary, 1, 1)
KIND(ternary2_1, Operand::kTernary, 1, 2)
KIND(ternary64_1, Operand::kTernary64, 1, 1)
KIND(binary_1, Operand::kBinary, 1, 2)
KIND(binary128_1, Operand::kBinary128, 1, 1)

// Image, row and column of the tiles that one group of a block takes.
extern "C" void walk(int batch, int height, int width, int first, int step, int rounds, int *to) {
  TileWalk tile({nullptr, nullptr, 8, 1, batch, height, width}, first, step);
  for (; rounds--; tile.advance())
    *to++ = tile.image(), *to++ = tile.row(), *to++ = tile.column();
}
"""


@pytest.fixture(scope='module')
def headers(tmp_path_factory):
    """The kernels' headers as a library."""
    folder = tmp_path_factory.mktemp('headers')
    (folder / 'program.cpp').write_text(PROGRAM.replace('KERNELS', str(KERNELS)))
    library = folder / 'library.so'
    subprocess.run(
        ['g++', *FLAGS, f'-I{HERE}', folder / 'program.cpp', '-o', library], check=True
    )
    return ctypes.CDLL(str(library))


@pytest.fixture(scope='module')
def describe(headers):
    """What a kernel's schedule says of itself."""

    @functools.cache
    def facts(kernel, taps):
        operand = kernel.split('_')[-2]
        numbers = np.zeros(6, np.int32)
        getattr(headers, f'describe_{operand}_{taps}')(ctypes.c_void_p(numbers.ctypes.data))
        names = 'stage_bytes', 'steps', 'weight_steps', 'weight_stages', 'chunks', 'place'
        return dict(zip(names, numbers.tolist()))

    return facts


@functools.cache
def kernels_of(source, architecture):
    """Kernels of a source: {name: (most threads, types of the parameters as Launch has them)}."""
    defines = [f'-D__CUDA_ARCH__={architecture}0', '-D__launch_bounds__(...)=BOUNDS(__VA_ARGS__)']
    if architecture == 90:
        defines.append('-D__CUDA_ARCH_FEAT_SM90_ALL')
    text = subprocess.run(
        ['g++', '-E', '-P', '-std=c++17', '-x', 'c++', *defines, KERNELS / f'{source}.cu'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r'__global__ void\s+BOUNDS\((.*?),.*?\)\s+(\w+)\((.*?)\)', text, re.DOTALL)
    return {
        name: (
            int(re.search(rf'int {bound.split("::")[-1]} = (\d+)', text)[1])
            if '::' in bound
            else int(bound),
            [
                Buffer if '*' in parameter else float if parameter.startswith('float ') else int
                for parameter in (part.strip() for part in parameters.split(','))
            ],
        )
        for bound, name, parameters in found
    }


def blank_model(width, depth, planes, size, classes=11):
    """A model of this shape without parameters, which plans do not look at."""
    layers = {
        shape.name: BinaryLayer(None, None if planes == 1 else np.empty(0), None)
        for shape in layer_shapes(width, depth, classes)
        if shape.is_binary
    }
    names = tuple(f'class{i}' for i in range(classes))
    return Model(
        name='blank',
        classes=ClassMap(names, ((0, 0, 0),) * classes),
        input_size=size,
        mean=(1, 2, 3),
        width=width,
        depth=depth,
        first=None,
        layers=layers,
        head=Head(None, None, 1.0),
    )


def check_launch(launch, architecture):
    """Its kernel exists for the architecture, and takes what it is given."""
    threads, types = kernels_of(launch.source, architecture)[launch.kernel]
    assert launch.block[0] <= threads
    assert launch.block[0] % 128 == 0 and launch.block[1:] == (1, 1)
    assert min(launch.grid) >= 1 and max(launch.grid[1:]) <= 65535
    given = [Buffer if isinstance(a, (Buffer, Constant)) else type(a) for a in launch.arguments]
    assert given == types, launch.kernel


def check_rings(launch, shape, planes, limits, size, describe):
    """Rings and tiles are as the kernel takes them for given, and fit."""
    product = product_of(shape, planes)
    facts = describe(launch.kernel, product.taps)
    # Up to the weights, a launch has buffers, then numbers; then these five.
    at = next(i for i, a in enumerate(launch.arguments) if isinstance(a, Constant))
    slice_stages, input_stages, weight_stages = launch.arguments[at + 2 : at + 5]
    groups, columns = launch.block[0] // 128 - 1, int(launch.kernel.split('_')[-1])
    assert 1 <= groups <= 3 and input_stages >= 2 and weight_stages >= 2
    assert 16 * (groups * input_stages + weight_stages) <= BARRIER_BYTES
    weight_bytes = facts['weight_steps'] * 2 * columns * 16
    used = BARRIER_BYTES + 4 * columns + groups * input_stages * facts['stage_bytes']
    assert used + weight_stages * weight_bytes == launch.shared_bytes <= limits.shared_per_block
    chunks = product.chunks
    assert chunks % facts['chunks'] == 0
    assert chunks // facts['chunks'] * facts['weight_stages'] == slice_stages
    assert chunks // facts['chunks'] * facts['steps'] == product.steps
    assert launch.grid[1] * columns == product.columns
    # Every block has a tile: a block without one would still wait for weights.
    assert launch.grid[0] <= -(-tiles_of(*size) // groups)


def expected_sources(shape, depth):
    """Which tensors a layer reads."""
    if shape.kind == FIRST:
        return ['image']
    part, level = shape.name.split('.')[0], int(shape.name.split('.')[1])
    if part == 'up':
        deepest = level + 1 == depth
        return [f'encoder.{depth}.conv2' if deepest else f'decoder.{level + 1}.conv2']
    if shape.name.endswith('conv2'):
        return [shape.name.replace('conv2', 'conv1')]
    return (
        [f'encoder.{level - 1}.conv2 pooled']
        if part == 'encoder'
        else [f'encoder.{level}.conv2', f'up.{level}']
    )


def check_buffers(model, plan):
    """No launch overwrites what it or a later one reads, or more than the buffer holds."""
    held = {'image': 'image'}
    for shape, launch in zip(model.shapes[:-1], plan.launches, strict=True):
        names = [a.name for a in launch.arguments if isinstance(a, Buffer)]
        sources = expected_sources(shape, model.depth)
        if len(names) == 4 and len(sources) == 1:  # a 3x3 convolution names its only source twice
            assert names[0] == names.pop(1)
        read, written = names[: len(sources)], names[len(sources) :]
        assert [held.get(name) for name in read] == sources, launch.layer
        assert not set(read) & set(written)
        if 'labels' in written:
            continue
        held[written[0]] = shape.name
        if shape.kind not in (FIRST, UP) and launch.arguments[-1]:
            assert written[0] != written[1]
            held[written[1]] = f'{shape.name} pooled'
        assert set(held) <= set(plan.buffers)


@pytest.mark.parametrize(
    'size, batch',
    [((16, 16), 1), ((45, 33), 3), ((360, 480), 8), ((512, 512), 1), ((1024, 2048), 2)],
)
@pytest.mark.parametrize(
    'gpu, instruction', [*((name, 'mma') for name in LIMITS), ('H200', 'wgmma')]
)
def test_plans_fit_the_kernels(describe, gpu, instruction, size, batch):
    limits = LIMITS[gpu]
    for width in (1, 16, 48, 64, 72, 128):
        for depth in range(1, 6):
            for planes in (1, 2):
                model = blank_model(width, depth, planes, size)
                plan = network_plan(model, batch, True, limits, instruction)
                height, across = padded_size(*size, depth)
                for shape, launch in zip(model.shapes, plan.launches):
                    check_launch(launch, limits.architecture)
                    if shape.is_binary:
                        level = batch, height >> shape.level, across >> shape.level
                        check_rings(launch, shape, planes, limits, level, describe)
                check_buffers(model, plan)


@pytest.mark.parametrize('instruction', ['mma', 'wgmma'])
@pytest.mark.parametrize('width', [16, 64, 96])
def test_a_plan_finds_its_constants(instruction, width):
    model = random_model(width=width, depth=2, classes=9, input_size=(64, 80), seed=width)
    for batch in (1, 8):
        plan = network_plan(model, batch, False, LIMITS['H200'], instruction)
        for shape, launch in zip(model.shapes, plan.launches):
            names = [a.name for a in launch.arguments if isinstance(a, Constant)]
            weights, offsets, *_ = (network_constant(model, name) for name in names)
            assert len(weights) == len(offsets) == launch.grid[1]
            if shape.is_binary:
                assert weights.shape[3] == offsets.shape[1] == int(launch.kernel.split('_')[-1])


def test_tensors_that_kernels_cannot_index_are_refused():
    """Kernels count the bytes of a tensor in an int."""
    limits = LIMITS['H200']
    network_plan(blank_model(64, 2, 2, (4096, 8192)), 7, False, limits)
    for width, size, batch in [(64, (4096, 8192), 8), (128, (16384, 8192), 1)]:
        with pytest.raises(EngineUnavailable, match='GB'):
            network_plan(blank_model(width, 2, 2, size), batch, False, limits)


@pytest.mark.parametrize(
    'batch, height, width', [(1, 8, 16), (1, 1, 1), (3, 17, 33), (8, 24, 100), (2, 64, 16)]
)
def test_every_tile_is_taken_once(headers, batch, height, width):
    tiles = tiles_of(batch, height, width)
    for groups in (1, 2, 3):
        for blocks in {1, min(2, -(-tiles // groups)), -(-tiles // groups)}:
            taken = []
            for block in range(blocks):
                rounds = (-(-tiles // groups) - block + blocks - 1) // blocks
                assert rounds >= 1
                for group in range(groups):
                    places = np.zeros((rounds, 3), np.int32)
                    headers.walk(
                        batch, height, width, block * groups + group, blocks * groups, rounds,
                        ctypes.c_void_p(places.ctypes.data),
                    )
                    taken += [tuple(place) for place in places if place[1] < height]
            assert sorted(taken) == [
                (image, row, column)
                for image in range(batch)
                for row in range(0, height, 8)
                for column in range(0, width, 16)
            ]


@pytest.mark.parametrize('height, width, shares', [(17, 20, 1), (17, 20, 3), (24, 48, 1)])
@pytest.mark.parametrize(
    'kind, taps, pixel_bytes, tensors',
    [
        ('ternary', 9, 8, 2),
        ('ternary', 9, 48, 1),
        ('ternary64', 9, 8, 1),
        ('binary', 9, 16, 2),
        ('binary128', 9, 16, 1),
        ('binary128', 9, 8, 2),
        ('binary', 1, 64, 1),
        ('ternary2', 1, 32, 1),
        ('ternary64', 1, 8, 1),
    ],
)
def test_a_stage_holds_the_tile_and_its_border(
    headers, describe, kind, taps, pixel_bytes, tensors, height, width, shares
):
    batch = 2
    random = np.random.default_rng(taps)
    sources = random.integers(0, 256, (tensors, batch, height, width, pixel_bytes), np.uint8)
    facts = describe(f'{kind}_0', taps)
    stages = max(1, tensors * pixel_bytes // 16 // facts['chunks'])
    edge = 1 if taps == 9 else 0
    bits = np.concatenate(list(sources), axis=-1)
    bits = np.pad(bits, ((0, 0), (edge, 8 + edge), (edge, 16 + edge), (0, 0)))
    numbers = np.array([pixel_bytes, tensors, batch, height, width], np.int32)
    down, across = -(-height // 8), -(-width // 16)
    for tile in range(tiles_of(batch, height, width) + 1):  # one beyond the last
        room = np.full(stages * facts['stage_bytes'] + 16, 0xA5, np.uint8)
        got = room[-room.ctypes.data % 16 :][: stages * facts['stage_bytes']]
        addresses = (ctypes.c_void_p(array.ctypes.data) for array in (sources[0], sources[-1]))
        getattr(headers, f'load_{kind}_{taps}')(
            *addresses, ctypes.c_void_p(numbers.ctypes.data), tile, stages, shares,
            ctypes.c_void_p(got.ctypes.data),
        )
        image, row, column = tile // across // down, tile // across % down * 8, tile % across * 16
        window = np.zeros((8 + 2 * edge, 16 + 2 * edge, bits.shape[-1]), np.uint8)
        if image < batch:
            window = bits[image, row:, column:][: 8 + 2 * edge, : 16 + 2 * edge]
        if kind == 'ternary64':
            window = np.concatenate([window, ~window], axis=-1)
        slabs = window.reshape(-1, stages, facts['chunks'], 16).transpose(1, 2, 0, 3)
        got = got.reshape(stages, facts['stage_bytes'])
        size = slabs[0].size
        np.testing.assert_array_equal(got[:, :size], slabs.reshape(stages, -1))
        if kind.startswith('binary'):
            counts = got[-1, size:][: 4 * len(slabs[0, 0])].copy().view(np.int32)
            ones = np.unpackbits(window, axis=-1).sum(axis=-1)
            np.testing.assert_array_equal(counts, ones.reshape(-1))
        place = got[-1, facts['place'] :][:12].copy().view(np.int32)
        if image < batch:
            assert place.tolist() == [image, row, column]
        else:
            assert place[1] >= height


def test_an_instruction_that_the_gpu_has_not_is_refused():
    model = random_model(input_size=(16, 16))
    with pytest.raises(EngineUnavailable, match='sm_87 has no wgmma'):
        network_plan(model, 1, False, LIMITS['Orin'], 'wgmma')
    launches = network_plan(model, 1, False, LIMITS['H200'], 'mma').launches
    assert not any('wgmma' in launch.kernel for launch in launches)
    assert any('_mma_' in launch.kernel for launch in launches)
