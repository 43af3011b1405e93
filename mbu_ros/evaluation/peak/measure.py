# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running node at one rate, and the search for the highest that it keeps up with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.bench.ros_search import Attempt, search_rate
from mbu_ros.evaluation.latency import latency_summary
from mbu_ros.evaluation.peak.resources import Machine, Process, ResourceMonitor

PRECISION = 0.03
"""Of the peak: the next rate that was tried and lost too much is higher by no more than this. With
fewer frames in a try than its inverse, the share of a single frame is as near as it can be."""
STEP = 1.2
FEWEST_FRAMES = 10
"""Of each camera in each try, however slow the node is."""
MOST_TRIES = 16
HICCUP = 0.1
"""A try that lost no more than this share is made twice; see `search_rate`."""
HOLDS = 5
"""How often the peak may be lowered because it was not reached a second time."""


class Sender(Protocol):
    """See `bench.ros_camera_node.CameraSender`."""

    def at_rate(self, rate: float, seconds: float) -> Mapping[str, Exchange]:
        """Send at a rate, in Hz."""


class Measurement:
    """Sends to one node at rates.

    Args:
        sender: connected to the node.
        process: of the node.
        machine: where it runs.
        max_drop: share of frames that may be dropped.
        seconds: to send for, each time.
        say: called with a line on each result.
    """

    def __init__(
        self,
        sender: Sender,
        process: Process,
        machine: Machine,
        *,
        max_drop: float,
        seconds: float,
        say: Callable[[str], None],
    ) -> None:
        self._sender, self._process, self._machine = sender, process, machine
        self._max_drop, self._seconds, self._say = max_drop, seconds, say

    def run(self, rate: float) -> dict[str, Any]:
        """Measure at one rate; see `peak.find_peak`, 'runs'."""
        with ResourceMonitor(self._process, self._machine) as monitor:
            exchanges = list(self._send(rate).values())
        begin = min(next(iter(one.sent.values())) for one in exchanges)
        # Until the last one's answer, or for its own period, so that pauses count as well.
        end = max(next(reversed(one.sent.values())) for one in exchanges) + 1 / rate
        end = max([end, *(moment for one in exchanges for moment in one.masks.values())])
        result = _result(rate, exchanges)
        # Camera by camera: the jitter is that of each one's own frames.
        latencies = [late for one in exchanges for late in one.latencies.values()]
        self._tell(_attempt_of(result))
        return {
            **result,
            'answered_hz': result['received'] / (end - begin) / len(exchanges),
            'latency_ms': latency_summary(latencies),
            **monitor.usage(begin, end, result['received']),
        }

    def find(
        self, start: float, runs: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, Any] | None, bool, list[dict[str, Any]]]:
        """Search for the peak, and measure it again, which it has to hold.

        Args:
            start: Hz, about what the node can do; a run that overloaded it tells better.
            runs: what `run` has returned so far.

        Returns:
            The run at the peak, None without one; whether the sender limited it; and the tries.
        """
        known = [_attempt_of(run) for run in runs]
        overloaded = [
            run['answered_hz']
            for run, one in zip(runs, known)
            if one.loses(self._max_drop) and run['answered_hz']
        ]
        start = overloaded[0] if overloaded else start
        precision = 1 + max(PRECISION, 1 / self._frames(start))
        found = search_rate(
            self._attempt,
            start,
            max_drop=self._max_drop,
            precision=precision,
            step=STEP,
            most_tries=MOST_TRIES,
            hiccup=HICCUP,
            known=known,
        )
        tries = [_try_of(one) for one in found.attempts]
        if found.best is None:
            return None, False, tries
        rate = found.best.asked
        for _ in range(HOLDS):
            run = self.run(rate)
            result = _attempt_of(run)
            tries.append(_try_of(result))
            if not result.loses(self._max_drop):
                return run, found.limited_by_camera, tries
            rate /= precision
        return None, False, tries

    def _attempt(self, rate: float) -> Attempt:
        result = _attempt_of(_result(rate, list(self._send(rate).values())))
        self._tell(result)
        return result

    def _send(self, rate: float) -> Mapping[str, Exchange]:
        return self._sender.at_rate(rate, self._frames(rate) / rate)

    def _frames(self, rate: float) -> float:
        return max(self._seconds * rate, FEWEST_FRAMES)

    def _tell(self, result: Attempt) -> None:
        self._say(f'{rate_text(result.hz)}: {result.lost} of {result.sent} frames dropped')


def rate_text(hz: float) -> str:
    """A rate for people, with its unit."""
    return f'{hz:.1f} Hz' if hz >= 1 else f'{hz:.2g} Hz'


def _result(rate: float, exchanges: list[Exchange]) -> dict[str, Any]:
    sent, dropped = sum(len(one.sent) for one in exchanges), sum(one.lost for one in exchanges)
    return {
        'asked_hz': rate,
        'rate_hz': sum(one.rate for one in exchanges) / len(exchanges),
        'sent': sent,
        'received': sent - dropped,
        'dropped': dropped,
        'drop_share': dropped / sent,
    }


def _attempt_of(run: Mapping[str, Any]) -> Attempt:
    return Attempt(run['asked_hz'], run['rate_hz'], run['sent'], run['dropped'])


def _try_of(attempt: Attempt) -> dict[str, Any]:
    return {'hz': attempt.hz, 'sent': attempt.sent, 'dropped': attempt.lost}
