# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of the node that need no ROS: statistics, the newest frame, the engine's thread."""

import threading

import numpy as np
import pytest

from mbu_ros.node.newest import Frame, Newest
from mbu_ros.node.statistics import STAGES, WINDOW_SECONDS, FrameStatistics, FrameSummary, assess
from mbu_ros.node.worker import EngineThread


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def stages(total):
    return dict.fromkeys(STAGES[:-1], total / 10) | {'total': total}


def test_counts_and_rates():
    clock = Clock()
    statistics = FrameStatistics(clock)
    for index in range(50):
        clock.now = 100 + index * 0.1
        statistics.count_received()
        if index % 2:
            statistics.count_segmented(stages(5.0))
        elif index % 4:
            statistics.count_superseded()
        else:
            statistics.count_bad()
    statistics.count_lost(3)
    statistics.count_lost(1)
    summary = statistics.summary()
    assert (summary.received, summary.segmented, summary.lost) == (50, 25, 4)
    assert (summary.superseded, summary.bad) == (12, 13)
    assert summary.input_rate == pytest.approx(10)
    assert summary.output_rate == pytest.approx(5)
    assert summary.age == 0 and summary.waiting == 0


def test_rates_fall_and_the_window_slides():
    clock = Clock()
    statistics = FrameStatistics(clock)
    for index in range(11):
        clock.now = 100 + index
        statistics.count_received()
        statistics.count_segmented(stages(1000.0 if index == 0 else 10.0))
    assert statistics.summary().input_rate == pytest.approx(1)
    assert statistics.summary().percentiles['total'][2] > 500
    clock.now = 111
    assert statistics.summary().percentiles['total'] == (10, 10, 10)
    clock.now = 119.5  # of the eleven, those at 110 alone are left
    summary = statistics.summary()
    assert summary.input_rate == 0 and summary.age == 9.5
    clock.now = 110 + WINDOW_SECONDS + 0.1
    summary = statistics.summary()
    assert summary.percentiles == {} and summary.segmented == 11


def test_percentiles():
    statistics = FrameStatistics(Clock())
    for total in np.random.default_rng(0).permutation(101):
        statistics.count_segmented(stages(float(total)))
    percentiles = statistics.summary().percentiles
    assert percentiles['total'] == pytest.approx((50, 95, 99))
    assert percentiles['network'] == pytest.approx((5, 9.5, 9.9))
    assert tuple(percentiles) == STAGES


@pytest.mark.parametrize(
    'now, before, fine, words',
    [
        (FrameSummary(), FrameSummary(), False, 'no frames received yet on /camera'),
        (FrameSummary(lost=4), FrameSummary(lost=1), False, '3 frames of /camera lost'),
        (FrameSummary(received=9, bad=3, age=0.1), FrameSummary(bad=1), False, '2 bad frames'),
        (FrameSummary(received=9, bad=3, age=0.1), FrameSummary(bad=3), True, ''),
        (FrameSummary(received=9, age=12.4), FrameSummary(), False, 'no frame for 12 s'),
        (FrameSummary(received=9, age=0.1, waiting=3.2), FrameSummary(), False, 'in 3 s'),
        (FrameSummary(received=9, age=0.1, waiting=0.2), FrameSummary(), True, ''),
        (
            FrameSummary(received=9, age=0.1, input_rate=30.0, output_rate=4.9),
            FrameSummary(),
            True,
            '4.9 of 30.0 frames',
        ),
    ],
)
def test_assess(now, before, fine, words):
    result, text = assess(now, before, '/camera')
    assert result == fine and words in text


def test_waiting_is_the_time_without_a_result():
    clock = Clock()
    statistics = FrameStatistics(clock)
    statistics.count_received()
    clock.now += 4
    statistics.count_received()
    assert statistics.summary().waiting == 4
    statistics.count_segmented(stages(1.0))
    assert statistics.summary().waiting == 0


def test_newest_keeps_one_frame():
    newest = Newest()
    first, second = Frame('a', 1.0), Frame('b', 2.0)
    assert newest.take() is None
    assert newest.put(first) is None
    assert newest.put(second) is first
    assert newest.take() is second
    assert newest.take() is None


class FakeEngine:
    def __init__(self):
        self.threads = [threading.current_thread()]

    def close(self):
        self.threads.append(threading.current_thread())


def test_one_thread_makes_uses_and_closes_the_engine():
    worker = EngineThread(FakeEngine)
    engine = worker.engine
    done = []
    for index in range(20):
        worker.submit(lambda i=index: done.append((i, threading.current_thread())))
    worker.drain()
    assert [index for index, _ in done] == list(range(20))
    worker.close()
    assert {*engine.threads, *(thread for _, thread in done)} == {engine.threads[0]}
    assert engine.threads[0] is not threading.current_thread()
    assert not engine.threads[0].is_alive()


def test_an_engine_that_cannot_be_made_leaves_no_thread():
    before = threading.active_count()

    def create():
        raise ValueError('no such engine')

    with pytest.raises(ValueError, match='no such engine'):
        EngineThread(create)
    assert threading.active_count() == before
