# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One storage file of a bag: through rosbags where it is sound, salvaged where it is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from mbu_ros.bags.compression import PACKED_SUFFIXES, PackedFile, unpack_message
from mbu_ros.bags.connections import Stored, StoredMessages
from mbu_ros.bags.metadata import FileFacts
from mbu_ros.bags.reason import reason
from mbu_ros.bags.salvage_mcap import has_index
from mbu_ros.bags.salvage_sqlite import is_open_elsewhere
from mbu_ros.bags.survey import SALVAGE, state, survey
from mbu_ros.errors import InputError

LOGGER = logging.getLogger(__name__)

STORAGE_BY_SUFFIX = {'.mcap': 'mcap', '.db3': 'sqlite3'}
SUFFIXES = tuple(
    suffix + packed for suffix in STORAGE_BY_SUFFIX for packed in ('', *PACKED_SUFFIXES)
)
"""How the names of storage files end."""


class StorageFile:
    """One file of a bag.

    Attributes:
        path: the file.
        storage: 'mcap' or 'sqlite3'.
        connections: its topics with their numbers of messages.
        start, end: log time of its first message, and 1 after that of the last one, ns; 0 where it
            has none.
        seekable: whether messages are found by time without reading all before them.
        looked_into: whether `connections` were read from it; they are empty where not.

    Args:
        path: the file.
        lose: is told what could not be read, now and later.
        facts: what metadata.yaml says of it. Where given, a file that is compressed as a whole is
            not unpacked to learn the same.

    Raises:
        InputError: nothing in it can be read.
    """

    def __init__(
        self, path: Path, lose: Callable[[str], None], facts: FileFacts | None = None
    ) -> None:
        self.path = path
        self._lose = lose
        self._packed = PackedFile(path) if path.suffix in PACKED_SUFFIXES else None
        inner = Path(path.stem) if self._packed else path
        if inner.suffix not in STORAGE_BY_SUFFIX:
            raise InputError(f'{path}: its name ends in none of {", ".join(SUFFIXES)}')
        self.storage = STORAGE_BY_SUFFIX[inner.suffix]
        self._sound = True
        self._salvaged: int | None = None
        self.connections: list[Connection] = []
        self.start = self.end = 0
        self.seekable = False
        self.looked_into = not (self._packed and facts)
        if not self.looked_into:
            self.start, self.end = facts.start, facts.end
            return
        try:
            with self._plain() as plain:
                self._look(plain)
        except InputError:
            raise
        except Exception as error:  # see `messages`
            raise InputError(f'{path}: nothing in it can be read: {reason(error)}') from error

    def messages(
        self, topics: Collection[str] | None, start: int | None, stop: int | None
    ) -> StoredMessages:
        """Messages of these topics (None: all) logged in [start, stop) (None: open), by log time.

        Those of a file that is not sound come as they are stored. What cannot be read is told to
        `lose` and left out.
        """
        with self._plain() as plain:
            last, at_last = start, []
            if self._sound:
                try:
                    for message in self._read_sound(plain, topics, start, stop):
                        if message.time != last:
                            last, at_last = message.time, []
                        at_last.append((message.connection.topic, message.data))
                        yield message
                    return
                # What rosbags raises on damaged files comes from half a dozen libraries.
                except Exception as error:
                    self._lose(f'{self.path.name}: damaged: {reason(error)}')
                    LOGGER.warning('%s: reading what is left', self.path)
            for message in self._read_salvaged(plain):
                if topics is not None and message.connection.topic not in topics:
                    continue
                if last is not None and message.time < last:
                    continue
                if stop is not None and message.time >= stop:
                    continue
                key = (message.connection.topic, message.data)
                if message.time == last and key in at_last:
                    at_last.remove(key)
                    continue
                yield message

    def _look(self, plain: Path) -> None:
        """Learn topics and times of a file that may be sound or not."""
        self._sound = not (self.storage == 'sqlite3' and is_open_elsewhere(plain))
        if self._sound:
            try:
                self._look_sound(plain)
                return
            except Exception as error:  # see `messages`
                LOGGER.info('%s: %s; it is read from front to back', self.path, reason(error))
                if self.storage == 'sqlite3':
                    self._lose(f'{self.path.name}: damaged, read row by row: {reason(error)}')
        self._sound = False
        self._look_salvaged(plain)

    def _look_sound(self, plain: Path) -> None:
        if self.storage == 'mcap' and not has_index(plain):
            raise InputError('it has no index')
        with Reader(plain) as reader:
            self.connections = [c._replace(owner=None) for c in reader.connections]
            if reader.message_count:
                self.start, self.end = reader.start_time, reader.end_time
        self.seekable = not self._packed

    def _look_salvaged(self, plain: Path) -> None:
        found = survey(plain, self.storage, state(plain))
        for loss in found.losses:
            self._lose(loss)
        if not found.messages:
            raise InputError(f'{self.path}: not a single message in it can be read')
        self.connections = list(found.connections)
        self.start, self.end = found.start, found.end
        # A file that is still growing ends for us where it ended now.
        self._salvaged = found.messages

    def _read_sound(
        self,
        plain: Path,
        topics: Collection[str] | None,
        start: int | None,
        stop: int | None,
    ) -> StoredMessages:
        with Reader(plain) as reader:
            wanted = [c for c in reader.connections if topics is None or c.topic in topics]
            if not wanted:  # rosbags takes none for all
                return
            count = 0
            for connection, time, data in reader.messages(wanted, start, stop):
                count += 1
                yield Stored(connection, time, self._unpack(bytes(data)))
            counted = sum(connection.msgcount for connection in wanted)
            if start is None and stop is None and count < counted:
                self._lose(f'{self.path.name}: {count} of {counted} messages were found')

    def _read_salvaged(self, plain: Path) -> StoredMessages:
        messages = SALVAGE[self.storage](plain, self._lose)
        try:
            for connection, time, data in islice(messages, self._salvaged):
                yield Stored(connection, time, self._unpack(data))
        except Exception as error:  # see `messages`
            self._lose(f'{self.path.name}: nothing more of it can be read: {reason(error)}')

    def _unpack(self, data: bytes) -> bytes:
        try:
            return unpack_message(data)
        except Exception:
            # Left as it is, it is no message of its type, and skipped as every such message is.
            return data

    @contextmanager
    def _plain(self) -> Iterator[Path]:
        """The file as something to seek in, unpacked where it must be."""
        if self._packed is None:
            yield self.path
            return
        with self._packed.unpacked() as (plain, problem):
            if problem:
                self._lose(f'{self.path.name}: {problem}')
            yield plain
