# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera counts of its frames."""

import threading

import pytest

from mbu_ros.bench.account import PATIENCE_SECONDS, Account


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_each_time_it_tells_what_is_new():
    clock = Clock()
    account = Account(clock)
    for stamp in (1, 2, 3):
        account.send(stamp)
    clock.now += 0.5
    account.answer(1)
    account.answer(1)  # a second mask of a frame is nothing
    account.answer(7)  # nor is that of another camera
    told = account.tell()
    assert (told['sent'], told['answered'], told['lost']) == (3, 1, 0)
    assert told['seconds'] == 0.5 and told['latency_ms']['p99'] == pytest.approx(500)
    assert account.waiting == 2
    account.answer(3)
    clock.now += PATIENCE_SECONDS + 0.1
    told = account.tell()
    assert (told['sent'], told['answered'], told['lost']) == (0, 1, 1)
    assert account.waiting == 0
    account.answer(2)  # too late
    told = account.tell()
    assert told['answered'] == 0 and told['latency_ms']['p50'] is None


def test_waiting_ends_with_the_last_mask_or_with_patience():
    account = Account()
    account.send(1)
    thread = threading.Thread(target=account.wait)
    thread.start()
    account.answer(1)
    thread.join(20)
    assert not thread.is_alive()
    clock = Clock()
    account = Account(clock)
    account.send(1)
    clock.now += PATIENCE_SECONDS + 1
    account.wait()
    assert account.tell()['lost'] == 1
