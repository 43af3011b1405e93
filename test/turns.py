# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turns of the tests that run in several processes at a time, as by `pytest -n 2`.

A test marked `alone` says something of time, and has the machine to itself: it begins when no other
worker is at a test, and those go on when it has ended.
"""

import contextlib
from pathlib import Path


@contextlib.contextmanager
def turn(folder, alone):
    """The turn of one test, with what sets it up and tears it down.

    Args:
        folder: where all workers of a session meet.
        alone: whether no other test may run meanwhile.
    """
    import fcntl  # not everywhere, but where it is missing one process tests

    with open(Path(folder, 'room'), 'a') as room:
        # Whoever waits to be alone holds the door: the others would never leave the room together.
        with open(Path(folder, 'door'), 'a') as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            yield
        finally:
            # Said, as closing does not leave where a test's process was forked off with the file.
            fcntl.flock(room, fcntl.LOCK_UN)
