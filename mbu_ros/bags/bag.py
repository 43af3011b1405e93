# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A whole bag, of one file or many, read as far as it can be read."""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from rosbags.interfaces import Connection

from mbu_ros.bags.connections import StoredMessages
from mbu_ros.bags.format import SECOND, stamp_name
from mbu_ros.bags.metadata import METADATA, FileFacts, Metadata, read_metadata
from mbu_ros.bags.storage_file import SUFFIXES, StorageFile
from mbu_ros.bags.topics import Topic
from mbu_ros.errors import InputError

LOGGER = logging.getLogger(__name__)


class Bag:
    """The messages of a bag.

    A file that is compressed as a whole is unpacked to the folder for temporary files (TMPDIR)
    while it is read; see `compression.PackedFile`.

    Args:
        path: a bag's folder, or one storage file.

    Attributes:
        topics: every topic by name.
        connections: each topic's types, QoS profiles and, where stored, definitions.
        storage: 'mcap' or 'sqlite3'.
        digests: the types' hashes (RIHS01) by topic, as far as metadata.yaml has them.
        custom: the user's data in metadata.yaml.
        start, end: log time of the first message, and 1 after that of the last one, ns.
        seekable: whether messages are found by time without reading all before them.
        losses: for people, what could not be read; it may grow with every reading.

    Raises:
        InputError: no such bag, or nothing in it can be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.losses: list[str] = []
        metadata = self._read_metadata()
        self.custom: Mapping[str, str] = metadata.custom if metadata else {}
        self._files = self._open_files(metadata)
        if not self._files:
            raise InputError(f'{self.path}: no readable bag: {"; ".join(self.losses)}')
        self.storage = self._files[0].storage
        self.seekable = all(file.seekable for file in self._files)
        filled = [file for file in self._files if file.end]
        self.start = min((file.start for file in filled), default=0)
        self.end = max((file.end for file in filled), default=0)
        self.connections = [c for file in self._files for c in file.connections]
        if metadata and not all(file.looked_into for file in self._files):
            self.connections = list(metadata.bag.connections)
        # mcap has no place for these.
        self.digests = {c.topic: c.digest for c in metadata.bag.connections} if metadata else {}
        self.topics = _count(self.connections)
        if metadata:
            self._say_how_much_is_left(metadata.bag.messages)

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> StoredMessages:
        """Messages of these topics (None: all) logged in [start, stop) ns (None: open).

        They come unpacked, and in the order in which they were logged; only those of a file that
        has no index or is damaged come as they are stored. What cannot be read is added to
        `losses`.
        """
        for file in self._files:
            if not file.end or (start is not None and file.end <= start):
                continue
            if stop is not None and file.start >= stop:
                continue
            yield from file.messages(topics, start, stop)

    def _read_metadata(self) -> Metadata | None:
        if not self.path.exists():
            raise InputError(f'{self.path}: no such bag')
        if not self.path.is_dir():
            return None
        try:
            return read_metadata(self.path)
        except FileNotFoundError:
            if not storage_files(self.path):
                raise InputError(
                    f"{self.path}: not a bag: a bag's folder has a {METADATA}, or at least files "
                    f'that end in {", ".join(SUFFIXES)}'
                ) from None
            self._lose(
                f'{METADATA} is missing: the recording was not closed, or still runs; read as far '
                'as it is written'
            )
        except InputError as error:
            if not storage_files(self.path):
                raise
            self._lose(str(error))
        return None

    def _open_files(self, metadata: Metadata | None) -> list[StorageFile]:
        if metadata is None:
            paths = storage_files(self.path) if self.path.is_dir() else [self.path]
            opened = [self._open_file(path) for path in paths]
            # Their names are numbered without leading zeros.
            return sorted(filter(None, opened), key=lambda file: (file.start, file.path.name))
        files = []
        for name in metadata.files:
            path = self.path / name
            facts = metadata.by_file.get(name)
            if not path.exists():
                self._lose(f'{name} is missing{_span(facts)}')
                continue
            files.append(self._open_file(path, facts or metadata.bag))
        return list(filter(None, files))

    def _open_file(self, path: Path, facts: FileFacts | None = None) -> StorageFile | None:
        try:
            return StorageFile(path, self._lose, facts)
        except InputError as error:
            # One of many: the others may well be sound.
            self._lose(str(error).replace(f'{path}:', f'{path.name}:'))
            return None

    def _say_how_much_is_left(self, said: int) -> None:
        found = sum(topic.messages for topic in self.topics.values())
        if found < said:
            self._lose(f'{found} of the {said} messages that {METADATA} counts can be read')

    def _lose(self, text: str) -> None:
        if text not in self.losses:
            self.losses.append(text)
            _warn_once(self.path, text)


@functools.lru_cache(maxsize=1024)
def _warn_once(path: Path, text: str) -> None:
    # Each part of an evaluation opens the bag anew.
    LOGGER.warning('%s: %s', path, text)


def _count(connections: Iterable[Connection]) -> dict[str, Topic]:
    topics: dict[str, Topic] = {}
    for connection in connections:
        kind, messages = topics.get(connection.topic, (connection.msgtype, 0))
        if kind != connection.msgtype:
            kind = 'several types'
        topics[connection.topic] = Topic(kind, messages + connection.msgcount)
    return topics


def storage_files(folder: Path) -> list[Path]:
    """Storage files directly in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))


def _span(facts: FileFacts | None) -> str:
    if facts is None or not facts.messages:
        return ''
    seconds = (facts.end - facts.start) / SECOND
    return f': {facts.messages} messages of {seconds:.1f} s from {stamp_name(facts.start)} on'
