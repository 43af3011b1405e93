# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What comes before a node is measured, without a node."""

from types import SimpleNamespace

import pytest

from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.bench.ros_partner import await_partner, engine_of, start_rate
from mbu_ros.errors import InputError

PROCESS = SimpleNamespace(check=lambda: None, last_words='it wrote:\n    nothing good')


class Sender:
    """Finds a node, or none, which answers so many of the first frames of each camera."""

    def __init__(self, found=True, **answered):
        self.found, self.answered = found, answered

    def wait_for_partner(self, timeout, check):
        return self.found

    def one_by_one(self, frames, *, timing):
        return {
            name: Exchange({0: 0.0, 1: 1.0}, dict.fromkeys(range(count), 2.0))
            for name, count in self.answered.items()
        }


def test_a_node_that_answers_will_do():
    await_partner(Sender(front=2, rear=1), PROCESS)  # the first frame may get lost


def test_a_node_that_does_not_is_told_with_its_log():
    with pytest.raises(InputError, match='did not start in 120 s; it wrote:\n    nothing good'):
        await_partner(Sender(found=False), PROCESS)
    with pytest.raises(InputError, match='answered no image of rear; it wrote:\n    nothing good'):
        await_partner(Sender(front=2, rear=0), PROCESS)
    with pytest.raises(InputError, match='answered no image; it wrote'):
        await_partner(Sender(**{'': 0}), PROCESS)


def test_what_the_log_says_of_the_engine():
    assert engine_of('[INFO] hello\n[INFO] [segment]: Engine: cuda on H200; fast\nbye') == (
        'cuda on H200; fast'
    )
    assert engine_of('nothing') == ''


def test_where_to_begin():
    sent = {index: float(index) for index in range(4)}
    masks = {0: 0.9, 1: 1.1, 2: 2.05}
    assert start_rate(Exchange(sent, masks)) == pytest.approx(10.0)
    assert start_rate(Exchange(sent)) == 1.0
