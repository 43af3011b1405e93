# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a live run is over, and whether it went well. Times are those of a steady clock.

No ROS here, so that it is tested alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mbu_ros.evaluation.live.endings import describe_end, read_ends
from mbu_ros.evaluation.live.node_state import NodeState
from mbu_ros.evaluation.live.recording import Recording

IN_FLIGHT = 1.0
"""Seconds after the player's end after which no image is under way to the node any more."""
BUSY_TIMEOUT = 120.0
"""Seconds to wait for the mask of a frame that the node says it is still working on."""
DIAGNOSTICS_WAIT = 2.5
"""Seconds to wait for diagnostics that include the last frame; they come once a second."""


class Gate(Protocol):
    """What lets the player begin, see `start_gate`."""

    @property
    def open(self) -> bool:
        """Whether it may begin."""

    def problem(self) -> str:
        """What is missing, for people."""


class EndWatch:
    """Asked again and again by `done`, told in between of what happens.

    Args:
        recording: of the run.
        state: what the node says of itself, as `NodeState.time` by the same clock.
        gate: what lets the player begin.
        ends: folder of notes of processes that have ended, see `endings`; None: nobody notes.
        start_timeout: seconds for node and player to come.
        idle_timeout: seconds without any message after which it is over.
        clock: in seconds.

    Attributes:
        failure: why the run was over before its time; '' where it was not.
        sent: images that the player says it sent; None where it did not say.
    """

    def __init__(
        self,
        recording: Recording,
        state: NodeState,
        gate: Gate,
        ends: Path | None,
        *,
        start_timeout: float,
        idle_timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure = ''
        self.sent: int | None = None
        self._recording = recording
        self._state = state
        self._gate = gate
        self._folder = ends
        self._start_timeout = start_timeout
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._begun = self._last_arrival = clock()
        self._arrived = False
        self._ended: float | None = None

    def note_arrival(self) -> None:
        """An image or a mask came."""
        self._last_arrival = self._clock()
        self._arrived = True

    def note_finish(self, sent: int) -> None:
        """The player says that it is done, and how many images it sent."""
        self._last_arrival = self._ended = self._clock()
        self.sent = sent

    def done(self, player_tells: bool) -> bool:
        """Whether the run is over.

        Args:
            player_tells: whether the player is one that says when it is done.
        """
        now = self._clock()
        if self._look_for_ends(now):
            return True
        if self._ended is None:
            return self._gave_up(now, player_tells)
        state = self._state
        quiet = now - max(self._last_arrival, self._ended)
        alive = state.time is not None and now - state.time < DIAGNOSTICS_WAIT
        busy = alive and not state.idle
        if quiet > (BUSY_TIMEOUT if busy else self._idle_timeout):
            return True
        complete = self._recording.masks >= (self._recording.images or 1)
        if complete and quiet > DIAGNOSTICS_WAIT:
            return True
        # The node's own word that nothing more is to come, newer than the last thing we heard.
        if state.time is None or not state.idle or state.segmented > self._recording.masks:
            return False
        in_flight = 0.0 if complete else IN_FLIGHT
        return state.time > max(self._last_arrival, self._ended + in_flight)

    def _look_for_ends(self, now: float) -> bool:
        """Look at how node and player are; whether there is no point in going on."""
        ends = read_ends(self._folder) if self._folder else {}
        if 'node' in ends:
            self.failure = f'{describe_end("node", ends["node"])} before the bag was played'
            return True
        if 'player' not in ends:
            return False
        self._ended = self._ended or now
        early = not self._gate.open
        if early or ends['player']:
            self.failure = describe_end('player', ends['player'])
        if early:
            self.failure += ' before it played'
        return early

    def _gave_up(self, now: float, player_tells: bool) -> bool:
        """Before the player's end: whether nothing comes any more."""
        # A player that pauses will still end; one of which nobody tells us never does.
        if self._gate.open and (player_tells or self._folder):
            return False
        if self._arrived:
            return now - self._last_arrival > self._idle_timeout
        if now - self._begun < self._start_timeout:
            return False
        problem = self._gate.problem() or 'no image came'
        self.failure = f'{problem} (after {self._start_timeout:g} s)'
        return True
