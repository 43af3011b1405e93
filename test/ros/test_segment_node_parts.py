# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of the node that need no ROS: statistics, the newest frame, the engine's thread."""

import threading

import numpy as np
import pytest

from mbu_ros.node.assessment import Level, Limits, assess_camera
from mbu_ros.node.newest import Frame, Newest
from mbu_ros.node.statistics import (
    DROP_REASONS,
    STAGES,
    WINDOW_SECONDS,
    FrameStatistics,
    FrameSummary,
)
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
            statistics.count_dropped('superseded')
        else:
            statistics.count_dropped('bad')
    statistics.count_dropped('engine', 3)
    statistics.count_dropped('unwatched')
    statistics.count_lost(3)
    statistics.count_lost(1)
    summary = statistics.summary()
    assert (summary.received, summary.segmented, summary.lost) == (50, 25, 4)
    assert tuple(summary.dropped) == DROP_REASONS
    assert tuple(summary.dropped.values()) == (12, 0, 13, 3, 0, 1)
    assert summary.input_rate == pytest.approx(10)
    assert summary.output_rate == pytest.approx(5)
    assert summary.drop_share == pytest.approx(28 / 50)
    assert (summary.recent, summary.age, summary.waiting) == (50, 0, 0)
    with pytest.raises(KeyError):
        statistics.count_dropped('tired')


def test_rates_fall_and_the_window_slides():
    clock = Clock()
    statistics = FrameStatistics(clock)
    for index in range(11):
        clock.now = 100 + index
        statistics.count_received()
        statistics.count_segmented(stages(1000.0 if index == 0 else 10.0))
    statistics.count_dropped('superseded')
    assert statistics.summary().input_rate == pytest.approx(1)
    assert statistics.summary().percentiles['total'][2] > 500
    clock.now = 111
    assert statistics.summary().percentiles['total'] == (10, 10, 10)
    clock.now = 119.5  # of the eleven, those at 110 alone are left
    summary = statistics.summary()
    assert summary.input_rate == 0 and summary.age == 9.5
    assert (summary.recent, summary.drop_share) == (1, 1)
    clock.now = 110 + WINDOW_SECONDS + 0.1
    summary = statistics.summary()
    assert summary.percentiles == {} and summary.segmented == 11
    assert (summary.recent, summary.drop_share) == (0, 0)


def test_percentiles():
    statistics = FrameStatistics(Clock())
    for total in np.random.default_rng(0).permutation(101):
        statistics.count_segmented(stages(float(total)))
    percentiles = statistics.summary().percentiles
    assert percentiles['total'] == pytest.approx((50, 95, 99))
    assert percentiles['network'] == pytest.approx((5, 9.5, 9.9))
    assert tuple(percentiles) == STAGES


def test_stages_that_not_all_frames_go_through():
    statistics = FrameStatistics(Clock())
    statistics.count_segmented({'network': 1.0, 'total': 2.0})
    statistics.count_segmented({'decode': 7.0, 'network': 3.0, 'total': 2.0})
    percentiles = statistics.summary().percentiles
    assert tuple(percentiles) == ('decode', 'network', 'total')
    assert percentiles['decode'] == (7, 7, 7) and percentiles['network'][0] == 2


def test_waiting_is_the_time_of_faults_without_a_result():
    clock = Clock()
    statistics = FrameStatistics(clock)
    for reason in ('superseded', 'bad', 'engine'):
        statistics.count_received()
        assert statistics.summary().waiting == 0
        statistics.count_dropped(reason)
        clock.now += 3
        statistics.count_dropped(reason)
        statistics.count_dropped('rate')
        clock.now += 1
        assert statistics.summary().waiting == 4
        statistics.count_segmented(stages(1.0))
    assert statistics.summary().waiting == 0
    statistics.count_dropped('bad')
    clock.now += 4
    statistics.count_dropped('unwatched')  # nobody waits any more
    assert statistics.summary().waiting == 0


def summary(dropped=None, **fields):
    """Of a camera that is well, but for what is given."""
    fields = {'received': 90, 'age': 0.1, 'input_rate': 30.0, 'output_rate': 29.0} | fields
    return FrameSummary(dropped=dict.fromkeys(DROP_REASONS, 0) | (dropped or {}), **fields)


OFF = Limits(0.0, 0.0, 0.0, 1.0)
NEVER = summary(received=0, age=None)


@pytest.mark.parametrize(
    'now, limits, level, words',
    [
        (summary(), Limits(), Level.OK, '29.0 of 30.0 frames a second'),
        (NEVER, Limits(max_age=30.0), Level.WARN, 'no frames received yet on /camera'),
        (NEVER, Limits(max_age=15.0), Level.STALE, 'no frames received yet on /camera'),
        (NEVER, OFF, Level.WARN, 'no frames received yet on /camera'),
        (summary(age=5.1), Limits(), Level.STALE, 'no frame for 5 s on /camera'),
        (summary(age=5.1), OFF, Level.OK, ''),
        (summary(age=3600.0), Limits(max_age=15.0), Level.STALE, 'no frame for 20 s'),
        (summary(waiting=5.2), Limits(), Level.ERROR, 'none was segmented in 5 s'),
        (summary({'bad': 9}, waiting=5.2), Limits(), Level.ERROR, 'last report: bad: 7)'),
        (summary(waiting=9.0), OFF, Level.OK, ''),
        (summary(waiting=10.1), OFF, Level.ERROR, 'in 10 s'),
        (summary(lost=4), Limits(), Level.WARN, '3 frames of /camera lost'),
        (summary({'bad': 3}), Limits(), Level.WARN, '1 bad frames dropped since'),
        (summary({'bad': 2}), Limits(), Level.OK, ''),
        (summary({'engine': 3}), Limits(), Level.WARN, '3 frames dropped because the engine'),
        (summary({'rate': 99, 'stopped': 9, 'superseded': 9}), Limits(), Level.OK, ''),
        (summary({'unwatched': 9}, output_rate=0.0), Limits(), Level.OK, 'nobody subscribes'),
        (summary(), Limits(min_rate=30.5), Level.WARN, '30.0 frames a second come, less than 30.5'),
        (summary(), Limits(min_rate=30.0), Level.OK, ''),
        (
            summary(percentiles={'total': (9.0, 20.5, 30.0)}),
            Limits(max_latency_p95=20.0),
            Level.WARN,
            'latency p95 20.5 ms, more than 20',
        ),
        (summary(percentiles={'total': (9.0, 20.5, 30.0)}), OFF, Level.OK, ''),
        (summary(drop_share=0.31), Limits(max_drop_share=0.3), Level.WARN, '31% of frames'),
        (
            summary({'bad': 4}, lost=2, drop_share=0.5),
            Limits(max_drop_share=0.3),
            Level.WARN,
            'lost on the way to this node; 2 bad frames dropped since the last report; 50% of',
        ),
    ],
)
def test_assess_camera(now, limits, level, words):
    before = summary({'bad': 2}, lost=1) if now.lost or now.dropped['bad'] else summary()
    result, text = assess_camera(now, before, limits, '/camera', active=20.0)
    assert result == level and words in text


def test_a_camera_is_not_judged_by_the_time_before_the_activation():
    before = summary()
    level, text = assess_camera(summary(age=99.0), before, Limits(), '/camera', active=None)
    assert (level, text) == (Level.OK, 'inactive: waiting to be activated')
    level, text = assess_camera(summary(age=99.0), before, Limits(), '/camera', active=1.0)
    assert level == Level.OK
    slow = Limits(min_rate=99.0)
    assert assess_camera(summary(), before, slow, '/camera', active=1.0)[0] == Level.OK
    assert assess_camera(summary(), before, slow, '/camera', active=3.0)[0] == Level.WARN


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
