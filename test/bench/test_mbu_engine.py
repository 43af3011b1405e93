# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mbu_ros.bench import timing
from mbu_ros.bench.floor import Network
from mbu_ros.bench.inputs import SETS, random_batches
from mbu_ros.bench.mbu_engine import layer_rows, measure_engine, total_row
from mbu_ros.bench.rates import MMA, WGMMA, GpuFacts, rates_of
from mbu_ros.bench.timing import summary, timed_runs, wall_milliseconds
from mbu_ros.engine.cuda import CudaEngine
from mbu_ros.model.random import random_model

from ..engine.cuda import conftest as fake_cuda
from .fakes import LAUNCH_MS, FakeEngine

install = fake_cuda.install  # the fixture by which the true engine finds a GPU that is not there

RATES = rates_of(GpuFacts('NVIDIA H200', 90, 132, 1.98e9, 4.8e12))


def test_median_and_tail():
    times = summary([float(i) for i in range(201)][::-1])
    assert (times['p50'], times['p99'], times['runs']) == (100.0, 198.0, 201)


def test_calls_are_prepared_and_the_warm_up_does_not_count():
    order = []
    times = timed_runs(
        lambda: order.append('call') or float(len(order)), order.append, runs=3, warm_up=2
    )
    assert order == [0, 'call', 1, 'call', 2, 'call', 3, 'call', 4, 'call']
    assert times == [6.0, 8.0, 10.0]


def test_wall_times_are_of_the_call_alone(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(timing.time, 'perf_counter', lambda: clock[0])

    def spend(seconds):
        clock[0] += seconds

    times = wall_milliseconds(lambda: spend(0.5), lambda i: spend(7 + i), runs=3)
    assert times == pytest.approx([500, 500, 500])


def test_inputs_are_several_and_not_zeros():
    batches = random_batches(2, (4, 6))
    assert len(batches) == SETS > 1
    assert all(b.shape == (2, 4, 6, 3) and b.dtype == np.uint8 and b.any() for b in batches)
    assert len({b.tobytes() for b in batches}) == SETS


def measured(small, runs=200):
    model = random_model(width=16, depth=1, classes=3, input_size=small.size, plan=small.plan)
    engine = FakeEngine(model)
    inputs = random_batches(small.batch, small.size)
    return engine, inputs, measure_engine(
        engine, small, inputs, None, RATES, seconds=0.1, runs=runs
    )


def test_every_input_is_used_and_enough_runs_are_timed(small):
    engine, inputs, result = measured(small)
    (session,) = engine.sessions
    assert [(f.encoding, f.height, f.width, f.step) for f in session.formats] == 2 * [
        ('rgb8', 8, 16, 48)
    ]
    expected = {tuple(frame.tobytes() for frame in batch) for batch in inputs}
    assert set(session.ran_with) == expected
    for timed in session.timed_with.values():
        assert set(timed) == expected
        assert all(one != other for one, other in zip(timed, timed[1:]))  # fresh for each run
    assert {tuple(frames) for frames in engine.segmented} == expected
    for figure in ('device_ms', 'device_with_copies_ms', 'wall_ms', 'segment_ms'):
        assert result[figure]['runs'] >= 200
    # without those of the warm-up
    assert result['device_ms']['p99'] == 2.0
    assert result['memory']['activations'] == 2000
    assert result['energy'] is None


def test_host_overhead_is_what_is_left_of_the_call(small):
    _, _, result = measured(small, runs=20)
    left = result['segment_ms']['p50'] - result['device_with_copies_ms']['p50']
    left -= sum(result['copies_ms'].values())
    assert result['host_overhead_us'] == pytest.approx(1000 * left)
    assert result['device_with_copies_ms']['p50'] == 2.5
    assert set(result['copies_ms']) == {'into_pinned', 'out_of_pinned'}


def test_copies_of_a_call_are_timed_between_calls_of_other_inputs(small):
    engine, _, _ = measured(small, runs=8)
    (session,) = engine.sessions
    stepped = session.ran_with[-len(engine.segmented) :]  # what ran last, one for each call
    assert len(engine.segmented) == 18
    assert all(tuple(call) != steps for call, steps in zip(engine.segmented, stepped))


def test_rows_of_layers(small):
    launches = [
        ('resize', MMA, 0.1),
        ('encoder.0.conv1', MMA, 0.1),
        ('encoder.0.conv2', WGMMA, 0.2),
        ('encoder.0.conv2', WGMMA, 0.3),
        ('decoder.0.conv2', MMA, 0.1),
    ]
    rows = {row['layer']: row for row in layer_rows(launches, small, RATES)}
    assert list(rows)[0] == 'resize' and list(rows)[-1] == 'decoder.0.conv2+head'
    row = next(row for name, row in rows.items() if name.startswith('encoder.0.conv2'))
    assert row['ms'] == pytest.approx(0.5)
    assert (row['launches'], row['path']) == (2, WGMMA)
    for path in (MMA, WGMMA):
        floor = row['floors'][path]
        assert floor['share'] == pytest.approx(floor['ms'] / 0.5)
    assert row['floors'][WGMMA]['ms'] <= row['floors'][MMA]['ms']


def test_the_whole_network_s_work_is_in_the_rows(small):
    _, _, result = measured(small, runs=4)
    rows = result['layers']
    assert sum(r['binary_operations'] for r in rows) == sum(
        small.work(s.name).binary_operations for s in small.shapes
    )
    assert sum(r['int8_operations'] for r in rows) == sum(
        small.work(s.name).int8_operations for s in small.shapes
    )
    assert {r['layer'] for r in rows if r['path'] == WGMMA} == {
        'decoder.0.conv1',
        'decoder.0.conv2+head',
    }
    total = result['total']
    assert total['ms'] == pytest.approx(LAUNCH_MS * len(rows))
    assert total['shares'][MMA] == pytest.approx(total['floors_ms'][MMA] / 2.0)


def test_without_rates_there_are_times_and_no_floors(small):
    rows = layer_rows([('mask', MMA, 0.1)], small, {})
    assert rows[0]['ms'] == 0.1 and rows[0]['floors'] == {}
    assert total_row(rows, 0.1, {})['shares'] == {}


def test_the_true_engine_answers_all_that_is_asked(install):
    install()
    model = random_model(input_size=(8, 12), depth=2)
    network = Network(16, 2, 5, model.plan, (8, 12), 2)
    engine = CudaEngine(model)
    try:
        result = measure_engine(
            engine, network, random_batches(2, (8, 12)), None, RATES, seconds=0.1, runs=8
        )
    finally:
        engine.close()
    assert [row['layer'] for row in result['layers']] == ['resize', 'toy', 'mask']
    assert result['layers'][0]['launches'] == 2
    assert set(result['stages_ms']) == {'resize', 'network', 'mask'}
    assert result['memory']['activations'] > 0
