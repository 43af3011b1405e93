# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading what the segment node says about itself."""

from types import SimpleNamespace

import pytest

from mbu_ros.evaluation.live.node_state import NodeState

COUNTS = {
    'Frames received': '12',
    'Frames segmented': '7',
    'Frames dropped (superseded)': '3',
    'Frames dropped (bad)': '1',
    'Frames lost (middleware)': '5',
    'Input rate (Hz)': '9.9',
    'network p50 (ms)': '1.500',
    'network p95 (ms)': '2.250',
    'mask p50 (ms)': '',
}
ENGINE = {'Engine': 'reference', 'Device': 'CPU', 'Model': 'synthetic', 'Model file': '/m'}


def status(name, values):
    items = [SimpleNamespace(key=key, value=value) for key, value in values.items()]
    return SimpleNamespace(name=name, values=items)


@pytest.mark.parametrize('node', ['segment', '/robot/segment'])
def test_counts_and_engine_of_the_node_are_read(node):
    name = node.lstrip('/')
    state = NodeState()
    state.update([status('other: frames', COUNTS), status('segment2: frames', COUNTS)], node, 3.0)
    assert (state.time, state.cameras) == (None, {})
    state.update([status(f'{name}: frames', COUNTS), status(f'{name}: engine', ENGINE)], node, 4.0)
    assert (state.time, state.received, state.segmented) == (4.0, 12, 7)
    assert state.dropped == {'superseded': 3, 'bad': 1}
    assert not state.idle
    assert state.cameras[''].stages_ms == {'network': {'p50': 1.5, 'p95': 2.25}}
    assert (state.engine, state.device, state.model) == ('reference', 'CPU', 'synthetic')
    assert state.model_file == '/m'
    state.update([status(f'{name}: frames', {**COUNTS, 'Frames segmented': '8'})], node, 5.0)
    assert state.idle


def test_several_cameras_add_up():
    state = NodeState()
    arrays = [status('segment: front frames', COUNTS), status('segment: rear_2 frames', COUNTS)]
    state.update(arrays, 'segment', 1.0)
    assert list(state.cameras) == ['front', 'rear_2']
    assert (state.received, state.segmented) == (24, 14)
    assert state.dropped == {'superseded': 6, 'bad': 2}


def test_what_the_node_forgets_when_it_is_shut_down_stays_known():
    state = NodeState()
    state.update([status('segment: engine', ENGINE)], 'segment', 1.0)
    state.update([status('segment: engine', dict.fromkeys(ENGINE, ''))], 'segment', 2.0)
    assert (state.engine, state.model_file) == ('reference', '/m')


def test_memory_is_the_most_and_power_the_mean():
    state = NodeState()
    assert state.resources() == {'memory_mb': None, 'gpu_memory_mb': None, 'watts': None}
    for memory, watts in (('100', '4.0'), ('300', '8.0'), ('200', '6.0')):
        values = {**ENGINE, 'Process memory (MB)': memory, 'GPU power (W)': watts}
        state.update([status('segment: engine', values)], 'segment', 1.0)
    assert state.resources() == {'memory_mb': 300.0, 'gpu_memory_mb': None, 'watts': 6.0}
