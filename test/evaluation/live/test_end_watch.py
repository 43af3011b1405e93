# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a live run is over, by a clock that the test turns."""

from types import SimpleNamespace

import numpy as np
import pytest

from mbu_ros.evaluation.live.end_watch import BUSY_TIMEOUT, EndWatch
from mbu_ros.evaluation.live.endings import note_end
from mbu_ros.evaluation.live.node_state import CameraCounts, NodeState
from mbu_ros.evaluation.live.recording import Recording
from mbu_ros.evaluation.mask_files import MaskFiles

START_TIMEOUT, IDLE_TIMEOUT = 60.0, 10.0


class Run:
    """A run of which each step takes as long as it is told to."""

    def __init__(self, folder, *, noted=True):
        self.now = 100.0
        self.ends = folder / 'ends'
        self.recording = Recording(['/image'], MaskFiles(folder / 'masks'))
        self.state = NodeState()
        self.gate = SimpleNamespace(open=True, problem=lambda: 'nobody there')
        self.watch = EndWatch(
            self.recording,
            self.state,
            self.gate,
            self.ends if noted else None,
            start_timeout=START_TIMEOUT,
            idle_timeout=IDLE_TIMEOUT,
            clock=lambda: self.now,
        )

    def image(self, stamp):
        self.recording.add_image('/image', stamp, 0)
        self.watch.note_arrival()

    def mask(self, stamp):
        self.recording.add_mask('/image', stamp, np.zeros((2, 2), np.uint8), 0)
        self.watch.note_arrival()

    def diagnostics(self, received, segmented, dropped=0):
        self.state.cameras[''] = CameraCounts(received, segmented, {'superseded': dropped})
        self.state.time = self.now

    def done_after(self, seconds, *, tells=True):
        """Whether it is over then, without diagnostics meanwhile."""
        self.now += seconds
        return self.watch.done(tells)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_it_goes_on_until_the_player_is_done_and_the_node_is_idle(run):
    run.image(1)
    run.mask(1)
    run.diagnostics(1, 1)
    assert not run.done_after(1000)  # a pause in the bag
    run.image(2)
    run.watch.note_finish(2)
    run.now += 2
    run.diagnostics(2, 1)  # the second frame is being segmented
    assert not run.done_after(0)
    run.mask(2)
    assert not run.done_after(0.5)  # there are no figures yet that include it
    run.diagnostics(2, 2)
    assert run.done_after(0.1)
    assert (run.watch.failure, run.watch.sent) == ('', 2)


def test_a_dropped_frame_is_not_waited_for(run):
    run.image(1)
    run.image(2)
    run.mask(2)
    run.watch.note_finish(2)
    run.now += 0.5
    run.diagnostics(2, 1, dropped=1)
    assert not run.done_after(0)  # an image may still be on its way to the node
    run.now += 1
    run.diagnostics(2, 1, dropped=1)
    assert run.done_after(0)


def test_a_mask_on_its_way_is_waited_for(run):
    run.image(1)
    run.watch.note_finish(1)
    run.now += 3
    run.diagnostics(1, 1)
    assert not run.done_after(0)
    run.mask(1)
    run.now += 1
    run.diagnostics(1, 1)
    assert run.done_after(0)


def test_a_busy_node_gets_its_time_and_a_silent_one_does_not(run):
    run.image(1)
    run.watch.note_finish(1)
    run.diagnostics(1, 0)
    for _ in range(round(BUSY_TIMEOUT) - 1):
        run.now += 1
        run.diagnostics(1, 0)
        assert not run.watch.done(True)
    assert run.done_after(IDLE_TIMEOUT)


def test_the_end_of_the_players_process_counts_as_its_word(run):
    run.image(1)
    run.mask(1)
    note_end(run.ends, 'player', 0)
    assert not run.done_after(0)
    run.now += 2
    run.diagnostics(1, 1)
    assert run.done_after(0)
    assert (run.watch.failure, run.watch.sent) == ('', None)


def test_a_player_that_dies_is_a_failure_but_what_it_sent_is_waited_for(run):
    run.image(1)
    note_end(run.ends, 'player', -9)
    assert not run.done_after(0)
    run.mask(1)
    run.now += 2
    run.diagnostics(1, 1)
    assert run.done_after(0)
    assert run.watch.failure == 'the player was ended by signal 9'


@pytest.mark.parametrize('code', [0, 1])
def test_a_player_that_ends_before_it_may_begin_is_a_failure(run, code):
    run.gate.open = False
    note_end(run.ends, 'player', code)
    assert run.done_after(0)
    assert run.watch.failure == f'the player ended with exit code {code} before it played'


@pytest.mark.parametrize('begun', [False, True])
def test_a_node_that_ends_ends_it_at_once(run, begun):
    run.gate.open = begun
    if begun:
        run.image(1)
    note_end(run.ends, 'node', 1)
    assert run.done_after(0)
    assert run.watch.failure == 'the node ended with exit code 1 before the bag was played'


def test_nobody_there_is_told_after_a_while(run):
    run.gate.open = False
    assert not run.done_after(START_TIMEOUT - 1)
    assert run.done_after(2)
    assert run.watch.failure == 'nobody there (after 60 s)'


def test_a_player_of_which_nobody_tells_ends_with_its_silence(tmp_path):
    run = Run(tmp_path, noted=False)
    run.image(1)
    run.mask(1)
    assert not run.done_after(IDLE_TIMEOUT - 1, tells=False)
    assert not run.done_after(2, tells=True)
    assert run.done_after(0, tells=False)
    assert run.watch.failure == ''
