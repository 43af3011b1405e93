# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who may be at a test at the same time, when there are several workers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .turns import turn

fcntl = pytest.importorskip('fcntl', reason='workers take turns by locks of Unix')


@pytest.fixture
def take(tmp_path):
    """A function that takes a turn in a thread, until `leave` is set, and notes who is in."""
    inside, threads = [], ThreadPoolExecutor(4)

    def start(name, leave, alone=False):
        def run():
            with turn(tmp_path, alone):
                inside.append(name)
                assert leave.wait(60)
                inside.remove(name)

        return threads.submit(run)

    start.inside = inside
    yield start
    threads.shutdown()


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def door_is_held(folder):
    with open(folder / 'door', 'a') as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_one_that_is_alone_comes_between_the_others(take, tmp_path):
    first, alone, later = threading.Event(), threading.Event(), threading.Event()
    ends = [take(name, first) for name in ('a', 'b')]
    wait_until(lambda: sorted(take.inside) == ['a', 'b'])  # two who need not be alone
    ends.append(take('alone', alone, alone=True))
    wait_until(lambda: door_is_held(tmp_path))
    ends.append(take('later', later))
    assert sorted(take.inside) == ['a', 'b'], 'it waits for them'
    first.set()
    wait_until(lambda: 'alone' in take.inside)
    assert take.inside == ['alone'], 'and who comes later for it'
    alone.set()
    wait_until(lambda: take.inside == ['later'])
    later.set()
    for end in ends:
        end.result(60)


def test_a_test_that_fails_leaves(tmp_path):
    with pytest.raises(ValueError, match='failed'), turn(tmp_path, alone=True):
        raise ValueError('failed')
    with turn(tmp_path, alone=True):
        pass
