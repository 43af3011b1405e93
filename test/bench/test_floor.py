# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.bench.floor import Network, Work, timed_names
from mbu_ros.bench.orin import ORIN, estimate
from mbu_ros.bench.rates import MMA, WGMMA, GpuFacts, Rates, rates_of
from mbu_ros.model.structure import layer_shapes

H200 = GpuFacts('NVIDIA H200', 90, 132, 1.98e9, 4.8e12)
PER_SECOND = Rates(binary=1000.0, int8=100.0, bandwidth=10.0, source='test')


def network(*, planes=2, width=64, depth=4, size=(512, 512), batch=1):
    names = [s.name for s in layer_shapes(width, depth, 11) if s.is_binary]
    return Network(width, depth, 11, dict.fromkeys(names, planes), size, batch)


def test_operations_of_layers_by_hand():
    two = network()
    # 512 * 512 pixels, 9 taps, 64 in, 64 out; 2 operations; 2 planes
    assert two.work('encoder.0.conv2').binary_operations == 512 * 512 * 9 * 64 * 64 * 2 * 2
    assert two.work('encoder.0.conv2').int8_operations == 0
    assert network(planes=1).work('encoder.0.conv2').binary_operations == 512 * 512 * 9 * 4096 * 2
    # 32 * 32 pixels, 4 taps, 1024 in, 512 out
    assert two.work('up.3').binary_operations == 32 * 32 * 4 * 1024 * 512 * 2 * 2
    # both of its sources
    assert two.work('decoder.3.conv1').binary_operations == 64 * 64 * 9 * 1024 * 512 * 2 * 2
    assert two.work('encoder.0.conv1').int8_operations == 512 * 512 * 27 * 64 * 2
    assert two.work('head').int8_operations == 512 * 512 * 64 * 11 * 2


def test_all_binary_operations_are_those_of_the_whole_network():
    # 3085 GFLOP at 1024x2048 in the FP16 network, the known figure; two planes double it.
    whole = network(size=(1024, 2048))
    works = [whole.work(shape.name) for shape in whole.shapes]
    total = sum(work.binary_operations / 2 + work.int8_operations for work in works)
    assert total == pytest.approx(3085e9, rel=0.001)


def test_bytes_of_layers_by_hand():
    one = network(planes=1, width=32, depth=2, size=(16, 24))
    pixels = 16 * 24
    # 3 bytes a pixel in; 32 bits a pixel out; 27 weights and a threshold for each channel
    assert one.work('encoder.0.conv1').bytes == pixels * 3 + pixels * 4 + 32 * 27 + 32 * 4
    # written whole for the skip connection and pooled: a quarter more
    weights = 32 * 32 * 9 // 8 + 32 * 4
    assert one.work('encoder.0.conv2').bytes == pixels * 4 + pixels * 5 + weights
    # a quarter of the pixels of 64 bits in, all of them of 32 bits out; four thresholds a channel
    up = 64 * 32 * 4 // 8 + 32 * 4 * 4
    assert one.work('up.0').bytes == pixels // 4 * 8 + pixels * 4 + up
    assert one.work('head').bytes == pixels * 4 + pixels + 32 * 11 + 11 * 4
    # at the deepest level nothing is pooled
    deep = one.work('encoder.2.conv2')
    assert deep.bytes == 2 * (pixels // 16 * 16) + 128 * 128 * 9 // 8 + 128 * 4


def test_joined_layers_do_not_move_what_is_between_them():
    net = network(width=32, depth=2, size=(16, 16))
    last, head = net.work('decoder.0.conv2'), net.work('head')
    both = net.work('decoder.0.conv2+head')
    assert both.binary_operations == last.binary_operations
    assert both.int8_operations == head.int8_operations
    assert both.bytes == last.bytes + head.bytes - 2 * 16 * 16 * 4


def test_work_is_of_the_batch_and_of_the_padded_size():
    one, four = network(size=(360, 480)), network(size=(360, 480), batch=4)
    name = 'encoder.1.conv1'
    assert one.work(name).binary_operations == 184 * 240 * 9 * 64 * 128 * 4
    assert four.work(name).binary_operations == 4 * one.work(name).binary_operations
    assert four.work('mask').bytes == 4 * 360 * 480 * 2
    assert one.work('something else') == Work()


def test_the_floor_is_the_larger_time():
    by_operations = Work(binary_operations=2000, int8_operations=300, bytes=40)
    assert by_operations.floor_seconds(PER_SECOND) == 5.0  # 2 + 3 s against 4 s
    assert by_operations.bound(PER_SECOND) == 'operations'
    by_bytes = Work(binary_operations=2000, bytes=40)
    assert by_bytes.floor_seconds(PER_SECOND) == 4.0
    assert by_bytes.bound(PER_SECOND) == 'bytes'


def test_rates_of_the_h200_are_the_measured_ones():
    rates = rates_of(H200)
    assert rates[MMA].binary == pytest.approx(10028e12)
    assert rates[WGMMA].binary == pytest.approx(15509e12)
    assert rates[WGMMA].int8 == pytest.approx(1939e12)


def test_rates_of_other_gpus():
    a100 = rates_of(GpuFacts('A100', 80, 108, 1.41e9, 1.5e12))
    assert list(a100) == [MMA]
    assert a100[MMA].binary == pytest.approx(4992e12, rel=0.001)
    for board, sparse_int8 in (('orin-agx', 170e12), ('orin-nx', 60e12), ('orin-nano', 40e12)):
        orin = rates_of(ORIN[board])[MMA]
        assert orin.int8 == pytest.approx(sparse_int8 / 2, rel=0.03)
        assert orin.binary == pytest.approx(8 * orin.int8)
        assert 'ESTIMATED' in orin.source
    half = rates_of(GpuFacts('half an H200', 90, 66, 1.98e9, 4.8e12))
    assert half[MMA].binary == pytest.approx(5014e12)
    assert rates_of(GpuFacts('a B200', 100, 148, 1.9e9, 8e12)) == {}


def test_layers_without_a_launch_belong_to_the_one_before():
    shapes = layer_shapes(32, 1, 4)
    launched = ['resize', *(s.name for s in shapes[:-1]), 'mask']
    names = timed_names(shapes, launched)
    assert names['decoder.0.conv2'] == 'decoder.0.conv2+head'
    assert names['resize'] == 'resize' and names['up.0'] == 'up.0'
    own = [s.name for s in shapes]
    assert timed_names(shapes, own) == {name: name for name in own}


def test_estimate_keeps_the_share_of_the_floor():
    agx = rates_of(ORIN['orin-agx'])[MMA]
    here = rates_of(H200)[MMA]
    work = Work(binary_operations=10**12, bytes=1000)
    floor_here, floor_there = 1e3 * 10**12 / here.binary, 1e3 * 10**12 / agx.binary
    layers = [('a', work, 2 * floor_here, here), ('b', work, floor_here / 3, here)]
    result = estimate(layers, 'orin-agx')
    # half the floor's rate stays half; faster than the floor counts as the floor
    assert [row['ms'] for row in result['layers']] == pytest.approx([2 * floor_there, floor_there])
    assert result['device_ms'] == pytest.approx(3 * floor_there)
    assert result['method'].startswith('ESTIMATE')
    assert result['layers'][0]['bound'] == 'operations'


def test_estimate_sees_where_orin_is_bound_by_its_memory():
    here = rates_of(H200)[MMA]
    work = Work(binary_operations=10**10, bytes=10**7)
    assert work.bound(here) == 'bytes'
    result = estimate([('a', work, 1.0, here)], 'orin-nano')
    share = 10**7 / 4.8e12 * 1e3
    assert result['device_ms'] == pytest.approx(10**7 / 68e9 * 1e3 / share)
