# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One Ctrl-C is one interruption, however often the signal comes."""

import signal

import pytest

from mbu_ros.evaluation.live import interrupting


@pytest.fixture
def handlers():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_that_comes_twice_interrupts_once(handlers, monkeypatch):
    now = 10.0
    monkeypatch.setattr(interrupting.time, 'monotonic', lambda: now)
    interrupting.interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    now += 1
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    now += interrupting.SAME_SIGNAL + 1
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
