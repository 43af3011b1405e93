# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs at rates and the search for the peak, with a node that is only counted."""

import pytest

from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.evaluation.peak import measure
from mbu_ros.evaluation.peak.measure import FEWEST_FRAMES, Measurement
from mbu_ros.evaluation.peak.resources import Machine

LATE = 0.05


class Silent:
    """A process of which nothing is known."""

    pid = 1

    def cpu_seconds(self):
        return None

    def memory_bytes(self):
        return None


class Node:
    """Answers so many frames a second of each camera; the camera sends no more than another."""

    def __init__(self, hz, cameras=('',), camera_hz=1e9):
        self.hz, self.cameras, self.camera_hz, self.asked = hz, cameras, camera_hz, []

    def at_rate(self, rate, seconds):
        self.asked.append((rate, seconds))
        hz = min(rate, self.camera_hz)
        count = max(2, round(rate * seconds))
        sent = {index: index / hz for index in range(count)}
        answered = round(count * min(1.0, self.hz / hz))
        masks = {index: sent[index] + LATE for index in list(sent)[count - answered :]}
        return {name: Exchange(dict(sent), dict(masks)) for name in self.cameras}


def measurement(node, seconds=20.0, say=lambda line: None, max_drop=0.01):
    return Measurement(node, Silent(), Machine(), max_drop=max_drop, seconds=seconds, say=say)


def test_a_run_at_one_rate():
    lines = []
    run = measurement(Node(6.0, camera_hz=8.0), say=lines.append).run(10.0)
    assert (run['asked_hz'], run['sent'], run['received'], run['dropped']) == (10.0, 200, 150, 50)
    assert run['rate_hz'] == pytest.approx(8.0) and run['drop_share'] == 0.25
    assert run['latency_ms']['count'] == 150
    assert run['latency_ms']['p50'] == pytest.approx(1e3 * LATE)
    assert run['latency_ms']['jitter'] == pytest.approx(0.0, abs=1e-6)
    usage = ('cpu_percent', 'memory_mb', 'gpu_percent', 'gpu_memory_mb', 'watts')
    assert all(run[key] is None for key in (*usage, 'joules_per_frame', 'energy_source'))
    assert run['answered_hz'] == pytest.approx(6.0, rel=0.01)
    assert lines == ['8.0 Hz: 50 of 200 frames dropped']


def test_counts_are_of_all_cameras_and_rates_of_one():
    run = measurement(Node(5.0, cameras=('a', 'b', 'c'))).run(10.0)
    assert (run['sent'], run['dropped'], run['rate_hz']) == (600, 300, pytest.approx(10.0))


@pytest.mark.parametrize('hz', [0.2, 9.0, 45.0, 1000.0])
def test_the_peak_is_found_and_held(hz):
    node = Node(hz)
    measured = measurement(node)
    runs = [measured.run(rate) for rate in (10.0, 30.0, 60.0)]
    peak, limited, tries = measured.find(0.8 * hz, runs)
    # Half a frame of the fewest is as near as it can be.
    assert hz / 1.04 < peak['rate_hz'] <= 1.06 * hz and not limited
    assert peak['drop_share'] <= 0.01
    # The last try is the peak once more.
    last = {'hz': peak['rate_hz'], 'sent': peak['sent'], 'dropped': peak['dropped']}
    assert tries[-1] == last
    assert len(tries) == len(node.asked) - len(runs)


def test_a_slow_node_gets_enough_frames_and_more_time():
    node = Node(0.1)
    measurement(node, seconds=5.0).run(0.1)
    (asked,) = node.asked
    assert asked == (0.1, pytest.approx(FEWEST_FRAMES / 0.1))


def test_a_sender_that_cannot_keep_up_is_told():
    measured = measurement(Node(1e6, camera_hz=100.0))
    peak, limited, _ = measured.find(50.0, [])
    assert limited and peak['rate_hz'] == pytest.approx(100.0)


def test_a_peak_that_does_not_hold_is_lowered():
    node = Node(20.0)
    measured = measurement(node)
    found, at_rate = [], node.at_rate

    def tired(rate, seconds):
        # From its best result on, the node is slower by a little.
        if len(node.asked) >= len(found):
            node.hz = 18.9
        return at_rate(rate, seconds)

    measured.find(20.0, [])
    found, node.asked, node.at_rate = node.asked[:-1], [], tired
    peak, _, tries = measured.find(20.0, [])
    assert tries[-2]['dropped'] > 0.01 * tries[-2]['sent']
    assert 18.0 < peak['rate_hz'] < 19.1


def test_no_peak_where_something_is_always_dropped(monkeypatch):
    monkeypatch.setattr(measure, 'FEWEST_FRAMES', 2)
    peak, limited, tries = measurement(Node(0.0), seconds=0.1).find(5.0, [])
    assert peak is None and not limited
    assert all(one['dropped'] == one['sent'] for one in tries)


def test_a_run_that_overloads_the_node_tells_where_to_search():
    node = Node(0.3)
    measured = measurement(node, seconds=5.0)
    runs = [measured.run(10.0)]
    node.asked.clear()
    peak, _, _ = measured.find(4.0, runs)
    assert 0.3 / 1.11 < peak['rate_hz'] < 0.3 * 1.06
    assert len(node.asked) <= 7 and max(rate for rate, _ in node.asked) < 0.6
