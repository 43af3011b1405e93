# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Signals as KeyboardInterrupt, once each."""

from __future__ import annotations

import signal
import time

SAME_SIGNAL = 3.0
"""Seconds within which a second signal is taken for the first one again."""


def interrupt_on_signals() -> None:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt in the main thread.

    One Ctrl-C may come twice, from the terminal and from launch. The second must not end what the
    first one set off, such as a report on what came so far. SIGINT counts also where a shell
    started this process in the background, which leaves it ignored, and Python without a handler.
    """
    last = float('-inf')

    def interrupt(number: int, frame: object) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > SAME_SIGNAL:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
