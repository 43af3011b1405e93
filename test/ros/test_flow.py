# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The limit of a rate, and the thread that works on the newest; no ROS."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from mbu_ros.node.newest import Newest, NewestThread
from mbu_ros.node.rate import RateLimit


def passed(limit, camera, rate, seconds=20.0, start=100.0, jitter=0.0):
    """Frames a second that pass of a camera's."""
    random = np.random.default_rng(0)
    times = start + np.arange(0, seconds, 1 / camera)
    times += random.uniform(0, jitter / camera, len(times))
    return sum(limit.admits(float(when), rate) for when in times) / seconds


@pytest.mark.parametrize('jitter', [0.0, 0.5])
@pytest.mark.parametrize(
    'camera, rate, expected',
    [(30, 10, 10), (30, 0, 30), (30, 31, 30), (30, 25, 25), (30, 16, 16), (30, 0.5, 0.5)],
)
def test_a_rate_is_kept_on_average(camera, rate, expected, jitter):
    assert passed(RateLimit(), camera, rate, jitter=jitter) == pytest.approx(expected, abs=0.3)


def test_a_rate_may_change_either_way():
    limit = RateLimit()
    assert passed(limit, 30, 0.01, start=0.0) == 1 / 20
    assert passed(limit, 30, 10, start=20.0) == pytest.approx(10, abs=0.1)
    assert passed(limit, 30, 0, start=40.0) == 30
    assert passed(limit, 30, 1, start=60.0) == pytest.approx(1, abs=0.1)


def test_a_pause_is_not_made_up_for():
    limit = RateLimit()
    assert limit.admits(0.0, 1)
    found = [limit.admits(when, 1) for when in (50.0, 50.1, 50.2, 50.9, 51.1, 51.2)]
    assert found == [True, True, False, False, True, False]


def test_newest_keeps_one():
    newest = Newest()
    assert newest.take() is None
    assert newest.put('a') is None
    assert newest.put('b') == 'a'
    assert newest.take() == 'b'
    assert newest.take() is None


def test_the_thread_works_on_the_newest():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work(item):
        begun.set()
        assert go_on.wait(10)
        done.append((item, threading.current_thread().name))

    thread = NewestThread('worker', work)
    assert thread.put(0) is None
    assert begun.wait(10)
    assert [thread.put(number) for number in (1, 2, 3)] == [None, 1, 2]
    go_on.set()
    thread.drain()
    assert [item for item, _ in done] == [0, 3]
    assert all(name.startswith('worker') for _, name in done)
    assert thread.take() is None
    thread.close()


def test_closing_drops_what_waits():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work(item):
        begun.set()
        go_on.wait(10)
        done.append(item)

    thread = NewestThread('worker', work)
    thread.put(0)
    assert begun.wait(10)
    thread.put(1)
    closing = threading.Thread(target=thread.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()  # it waits for what is being worked on
    go_on.set()
    closing.join(10)
    assert done == [0] and not closing.is_alive()


def test_freed_memory_is_kept_where_malloc_can_be_told():
    code = (
        'import ctypes, resource; from mbu_ros.node.memory import keep_freed_memory\n'
        'print(keep_freed_memory())\n'
        'for _ in range(5): [bytearray(20_000_000) for _ in range(4)]\n'
        'before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n'
        'for _ in range(5): [bytearray(20_000_000) for _ in range(4)]\n'
        'print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)'
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    told, faults = run.stdout.split()
    if told == 'False':
        pytest.skip("this system's malloc is not glibc's")
    # About one for each 4096 bytes where the memory is given back in between.
    assert int(faults) < 20 * 20_000_000 // 4096 // 10
