# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Python processes that are started together, watched, and stopped together."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mbu_ros.evaluation.live.endings import describe_end, note_end

LOG_LINES = 15
"""How much of its log an error shows of a process that failed."""
STOP_SECONDS = 5.0
"""How long a process may take to end when asked to."""


class LiveRunError(RuntimeError):
    """A process of the run failed; the text has the end of its log."""


class Processes:
    """Use it in a `with` statement, which stops whatever still runs at its end.

    Args:
        logs: folder for a NAME.log of each; it exists.
        ends: folder for notes of those that have ended, see `endings`.
    """

    def __init__(self, logs: Path, ends: Path) -> None:
        self._logs = logs
        self._ends = ends
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ended: dict[str, int] = {}
        self._environment = _environment()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a Python module with arguments."""
        with open(self._logs / f'{name}.log', 'wb') as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, '-m', *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )

    def wait(self, last: str, good: Collection[int]) -> None:
        """Wait until one of them ends, and note the ends of the others meanwhile.

        Raises:
            LiveRunError: it ended with an exit code that is not good.
        """
        while last not in self._ended:
            time.sleep(0.1)
            for name, process in list(self._running.items()):
                code = process.poll()
                if code is not None:
                    del self._running[name]
                    self._ended[name] = code
                    note_end(self._ends, name, code)
        if self._ended[last] not in good:
            # One that fails takes others with it: those before say why.
            failed = [name for name, code in self._ended.items() if code or name != last]
            raise LiveRunError('\n'.join(map(self._explain, failed)))

    def _explain(self, name: str) -> str:
        path = self._logs / f'{name}.log'
        lines = path.read_text(encoding='utf-8', errors='replace').splitlines()[-LOG_LINES:]
        shown = '\n'.join(f'    {line}' for line in lines) or '    (nothing)'
        return f'{describe_end(name, self._ended[name])}; the end of {path}:\n{shown}'


def _environment() -> dict[str, str]:
    """Ours, with ROS kept to this machine and to a domain of its own.

    In the user's own domain, a robot or another such run would mix with this one.
    """
    with claimed_domain() as domain:  # until now nobody was on it
        return dict(
            os.environ,
            PYTHONUNBUFFERED='1',
            ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST',
            ROS_DOMAIN_ID=str(domain),
        )


@contextmanager
def claimed_domain() -> Iterator[int]:
    """A ROS domain in which no DDS participant of this machine answers.

    Until the end nobody else is given it here. Participants may join it all the same.

    Raises:
        LiveRunError: there is none.
    """
    # Above 101, DDS's ports run into those that Linux gives to anybody.
    for domain in random.sample(range(1, 102), 101):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as claim:
            try:
                # The discovery port of a domain's first participant (DDSI-RTPS 9.6.1.1); others
                # take the next ones.
                claim.bind(('', 7400 + 250 * domain + 10))
            except OSError:
                continue
            yield domain
            return
    raise LiveRunError('every ROS domain from 1 to 101 is in use on this machine; end some nodes')
