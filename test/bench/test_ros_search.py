# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The search for the highest rate that a node keeps up with."""

import pytest

from mbu_ros.bench.ros_search import MOST_TRIES, Attempt, search_rate


def node_of(hz, camera_hz=1e9, frames=400):
    """A node that answers so many frames a second, and a camera that sends no more than another."""

    def attempt(rate):
        sent_hz = min(rate, camera_hz)
        lost = round(frames * max(0.0, 1 - hz / sent_hz))
        return Attempt(rate, sent_hz, frames, lost)

    return attempt


@pytest.mark.parametrize('start', [0.5, 9.0, 20.0, 300.0])
@pytest.mark.parametrize('hz', [0.3, 9.0, 31.0, 55.0])
def test_the_border_is_found_from_anywhere(hz, start):
    found = search_rate(node_of(hz), start, max_drop=0.01, precision=1.03, most_tries=40)
    border = hz / 0.99
    assert border / 1.035 < found.best.hz < border * 1.002  # half a frame of 400
    assert not found.limited_by_camera
    assert found.best in found.attempts


def test_from_a_fair_start_a_few_tries_are_enough():
    found = search_rate(node_of(9.0), 10.0, max_drop=0.01, precision=1.03)
    assert len(found.attempts) <= 8


def test_what_may_be_dropped_raises_the_peak():
    strict, lax = (search_rate(node_of(20.0), 15.0, max_drop=drop).best.hz for drop in (0.0, 0.3))
    assert lax > strict * 1.2


def test_exactly_the_share_allowed_is_allowed():
    assert not Attempt(10, 10, 100, 1).loses(0.01)
    assert Attempt(10, 10, 100, 2).loses(0.01)
    assert Attempt(10, 10, 50, 1).loses(0.01)
    assert not Attempt(10, 10, 50, 0).loses(0.0)


def test_a_camera_that_cannot_send_faster_is_the_limit():
    found = search_rate(node_of(1e6, camera_hz=50.0), 40.0)
    assert found.best.hz == 50 and found.limited_by_camera
    assert [one.asked for one in found.attempts] == [40, 60, 90]


def test_a_camera_that_was_held_up_once_is_asked_again():
    results = iter([Attempt(40, 30, 100, 0), Attempt(60, 60, 100, 0), Attempt(90, 90, 100, 9)])
    found = search_rate(lambda rate: next(results), 40.0, most_tries=3)
    assert found.best.hz == 60 and not found.limited_by_camera


def test_a_node_that_always_drops_has_no_peak():
    found = search_rate(lambda rate: Attempt(rate, rate, 20, 1), 10.0)
    assert found.best is None and not found.limited_by_camera
    assert len(found.attempts) == MOST_TRIES


def test_what_is_known_is_not_tried_again():
    node = node_of(20.0)
    known = [node(hz) for hz in (10.0, 60.0, 30.0)]
    tried = []

    def attempt(rate):
        tried.append(rate)
        return node(rate)

    found = search_rate(attempt, 5.0, precision=1.03, known=known)
    assert 20 / 1.03 <= found.best.hz <= 20
    assert all(10 < rate < 30 for rate in tried)


def test_the_best_that_is_known_may_be_the_best():
    known = [Attempt(10, 10, 100, 5), Attempt(60, 60, 100, 0), Attempt(61, 61, 100, 50)]
    found = search_rate(pytest.fail, 5.0, precision=1.03, known=known)
    assert found.best == known[1] and not found.attempts


def test_a_hiccup_is_forgiven_once():
    node, tries = node_of(20.0), []

    def attempt(rate):
        tries.append(rate)
        result = node(rate)
        if len(tries) == 2:
            return result._replace(lost=result.lost + 40)
        return result

    search = {'max_drop': 0.01, 'precision': 1.03}
    found = search_rate(attempt, 10.0, hiccup=0.15, **search)
    assert tries[:4] == [10, 15, 15, 22.5]
    assert 20 / 1.03 < found.best.hz < 20.3
    for hiccup in (0.0, 0.05):  # ten percent are no hiccup
        tries.clear()
        assert search_rate(attempt, 10.0, hiccup=hiccup, **search).best.hz < 15
    # What happens twice is no hiccup.
    found = search_rate(lambda rate: Attempt(rate, rate, 100, 10), 10.0, hiccup=0.15, most_tries=4)
    assert [one.asked for one in found.attempts] == pytest.approx([10, 10, 10 / 2.25, 10 / 2.25])
