# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ends a process that a signal asked to end and that hangs.

Twice in some hundreds of tries a player that got SIGINT never came back to Python, from wherever it
was, and so never saw the signal. What starts a player waits for its end.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time

SECONDS = 15.0
"""More than an orderly end takes, with what it waits for others."""
EXIT_CODE = 130
"""What a process gives that is interrupted."""


def end_by_force(name: str, seconds: float = SECONDS) -> None:
    """From now on, end this process so long after its first signal that has a handler.

    Whatever the main thread does by then: where it hangs is written to standard error. To be called
    in the main thread.

    Args:
        name: of the program, for people.
        seconds: from the signal to the end.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def wait() -> None:
        os.read(read, 1)
        time.sleep(seconds)
        print(
            f'{name}: hangs, {seconds:g} s after it was asked to end; ended by force from here:',
            file=sys.stderr,
            flush=True,
        )
        faulthandler.dump_traceback(all_threads=True)
        os._exit(EXIT_CODE)

    threading.Thread(target=wait, name='forced end', daemon=True).start()
