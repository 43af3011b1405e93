# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What lies in a storage file that has no index, found by reading it from front to back."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rosbags.interfaces import Connection

from mbu_ros.bags.salvage_mcap import read_mcap
from mbu_ros.bags.salvage_sqlite import read_sqlite

SALVAGE = {'mcap': read_mcap, 'sqlite3': read_sqlite}
"""What reads a damaged file of each storage."""


class Survey(NamedTuple):
    """What a file holds."""

    connections: tuple[Connection, ...]
    """Its topics with their numbers of messages."""
    start: int
    """Log time of the first message, ns; 0 without any."""
    end: int
    """1 after the log time of the last message, ns; 0 without any."""
    messages: int
    """How many could be read."""
    losses: tuple[str, ...]
    """What could not."""


@functools.lru_cache(maxsize=64)
def survey(path: Path, storage: str, as_of: tuple) -> Survey:
    """Read a file through; only once for the same `state` of it."""
    losses: list[str] = []
    counts: Counter[int] = Counter()
    found: dict[int, Connection] = {}
    start, end = None, 0
    for connection, time, _ in SALVAGE[storage](path, losses.append):
        found[connection.id] = connection
        counts[connection.id] += 1
        start = time if start is None else min(time, start)
        end = max(time + 1, end)
    connections = tuple(c._replace(msgcount=counts[c.id]) for c in found.values())
    return Survey(connections, start or 0, end, sum(counts.values()), tuple(losses))


def state(path: Path) -> tuple:
    """Changes when the file is written to, be it only to SQLite's log beside it."""
    files = (path, path.with_name(f'{path.name}-wal'))
    stats = [file.stat() if file.exists() else None for file in files]
    return tuple(stat and (stat.st_size, stat.st_mtime_ns) for stat in stats)
