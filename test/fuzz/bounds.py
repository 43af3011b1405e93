# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every fuzz case is held to: no crash, no hang, bounded memory, the documented error.

A case that crashes the process or hangs ends it, with a traceback of all threads; with
`--fuzz-minutes` the case stands in `.hypothesis/last_case.txt` then.
"""

import contextlib
import faulthandler
import os
import time

from mbu_ros.errors import InputError

SECONDS = 30
"""A case that takes longer hangs; the slowest take a second on a busy machine."""
MEMORY = 1 << 30
"""Bytes of address space that a case may take on top of what the process has."""
MOST_TEXT = 2000
"""Characters of an error: a person reads it, and logs keep it, at the rate of a camera."""


class Ledger:
    """How many cases each target was given, and how many of them were refused."""

    def __init__(self):
        self._counts = {}
        self._target = ''

    def begin(self, target):
        """Count for this target from now on."""
        self._target = target

    def case(self):
        self._counts.setdefault(self._target, [0, 0])[0] += 1

    def refusal(self):
        self._counts[self._target][1] += 1

    def lines(self):
        """A line for each target, and one for all."""
        lines = [
            f'{cases:9,} cases, {refused:9,} refused  {target}'
            for target, (cases, refused) in self._counts.items()
        ]
        total = sum(cases for cases, _ in self._counts.values())
        return [*lines, f'{total:9,} cases in all'] if lines else []


LEDGER = Ledger()
_hangs = None
_last_case = None
_watched = 0.0


def report_hangs_to(descriptor):
    """Say where the traceback of a hang goes: pytest captures the usual place."""
    global _hangs
    _hangs = descriptor


def keep_last_case(path):
    """Write each case to this file before it runs: after a crash nothing else tells it."""
    global _last_case
    path.parent.mkdir(exist_ok=True)
    _last_case = path


@contextlib.contextmanager
def bounded(*case, memory=MEMORY):
    """Hold the body to the bounds; it counts as one case of the current target.

    Args:
        case: what it works on, for a report of a crash.
    """
    LEDGER.case()
    if _last_case is not None:
        _last_case.write_text(f'{LEDGER._target}\n{case!r}\n', errors='backslashreplace')
    _watch()
    with _limited_memory(memory):
        yield


def stop_watching():
    """No case runs any more."""
    global _watched
    _watched = 0.0
    faulthandler.cancel_dump_traceback_later()


def _watch():
    """End the process when the case that begins now hangs.

    The watch starts a thread each time, which takes longer than most cases: once a second will do.
    """
    global _watched
    now = time.monotonic()
    if now > _watched + 1:
        _watched = now
        faulthandler.dump_traceback_later(SECONDS + 1, exit=True, file=_hangs)


def outcome(function, *arguments, refusals=(InputError,), memory=MEMORY):
    """What a call within bounds returns; None where it was refused with a documented error.

    Any other exception is a find, and so is an error whose text nobody could print or read.
    """
    with bounded(function, arguments, memory=memory):
        try:
            return function(*arguments)
        except refusals as error:
            check_text(str(error))
            LEDGER.refusal()
            return None


def check_text(text):
    """The text of an error can be printed and sent, and is no longer than a person reads."""
    assert text.strip(), 'an error without words'
    text.encode()  # half a surrogate pair can neither be printed nor sent
    assert len(text) <= MOST_TEXT, f'an error of {len(text)} characters'


@contextlib.contextmanager
def _limited_memory(memory):
    try:
        import resource

        with open('/proc/self/statm') as file:
            used = int(file.read().split()[0]) * os.sysconf('SC_PAGE_SIZE')
    except (ImportError, OSError):  # no Linux
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + memory
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
