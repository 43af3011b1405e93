# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads mcap files from front to back: those without an index, cut off, damaged or still growing.

The mcap library takes the file apart record by record; what it cannot read is left out and told.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Channel, Chunk, DataEnd, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.summary import Summary
from rosbags.interfaces import Connection

from mbu_ros.bags.connections import Stored, StoredMessages, make_connection
from mbu_ros.bags.reason import reason

MAX_RECORD = 1 << 30
"""Bytes; a longer record is taken for a damaged length."""

Lose = Callable[[str], None]


class ExactFile(io.BufferedReader):
    """A file whose `read` gives as many bytes as asked for or raises EOFError.

    The mcap library takes fewer for the whole record.
    """

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, or all that are left where negative."""
        found = super().read(size)
        if len(found) < size:
            raise EOFError
        return found


def read_mcap(path: Path, lose: Lose) -> StoredMessages:
    """Messages in the order in which they are stored, those of one chunk by log time.

    Args:
        path: the file.
        lose: is told what could not be read.

    Raises:
        OSError: the file cannot be read at all.
    """
    with ExactFile(io.FileIO(path)) as file:
        summary = _read_summary(file)
        topics = _Topics(path.name, summary, lose)
        for record in _records(file, path.name, summary, lose):
            if not isinstance(record, Chunk):
                yield from topics.messages([record])
                continue
            try:
                content = breakup_chunk(record, validate_crc=True)
            except Exception as error:  # what decompressors and parsers raise on damaged bytes
                lose(f'{path.name}: a damaged chunk was left out: {reason(error)}')
                continue
            yield from sorted(topics.messages(content), key=lambda message: message.time)
        if cut := _cut_chunk(file):
            yield from sorted(topics.messages(cut), key=lambda message: message.time)


def has_index(path: Path) -> bool:
    """Whether messages can be found by time; False also if the file's end is unreadable."""
    with ExactFile(io.FileIO(path)) as file:
        return bool(_read_summary(file).chunk_indexes)


def _read_summary(file: ExactFile) -> Summary:
    try:
        return make_reader(file).get_summary() or Summary()
    except Exception:  # cut off, or damaged at the end: the summary is what is missing
        return Summary()
    finally:
        file.seek(0)


def _records(file: ExactFile, name: str, summary: Summary, lose: Lose) -> Iterator[McapRecord]:
    """Records in front of the summary, chunks as they are, also behind damaged places."""
    position = 0
    while True:
        reader = StreamReader(
            file, skip_magic=position > 0, emit_chunks=True, record_size_limit=MAX_RECORD
        )
        try:
            for record in reader.records:
                if isinstance(record, DataEnd):
                    file.seek(0, io.SEEK_END)
                    return
                yield record
                position = file.tell()
            return
        except EOFError:
            problem = f'{name}: cut off at byte {position}, or still being written'
        except Exception as error:  # see `read_mcap`
            problem = f'{name}: damaged at byte {position}: {reason(error)}'
        starts = (index.chunk_start_offset for index in summary.chunk_indexes)
        following = min((start for start in starts if start > position), default=None)
        if following is None:
            lose(problem)
            file.seek(position)
            return
        lose(f'{problem}; reading goes on at byte {following}')
        position = following
        file.seek(position)


def _cut_chunk(file: ExactFile) -> list[McapRecord]:
    """What can be read of the chunk that begins where reading ended; nothing if none does."""
    rest = io.BufferedReader.read(file, MAX_RECORD)
    if len(rest) < 9 or rest[0] != Opcode.CHUNK:
        return []
    records = []
    try:
        # Here it helps that the library takes what there is for the whole.
        chunk = Chunk.read(ReadDataStream(io.BytesIO(rest[9:])))
        plain = ExactFile(io.BytesIO(_decompress_start(chunk)))
        for record in StreamReader(plain, skip_magic=True).records:
            records.append(record)
    except Exception:  # an end at any byte; that there is one was told
        pass
    return records


def _decompress_start(chunk: Chunk) -> bytes:
    if chunk.compression == 'zstd':
        return zstandard.ZstdDecompressor().decompressobj().decompress(chunk.data)
    if chunk.compression == 'lz4':
        return lz4.frame.LZ4FrameDecompressor().decompress(chunk.data)
    return chunk.data


class _Topics:
    """Turns messages of mcap into those of a bag."""

    def __init__(self, name: str, summary: Summary, lose: Lose) -> None:
        self._name = name
        self._lose = lose
        self._schemas: dict[int, Schema] = dict(summary.schemas)
        self._connections: dict[int, Connection | None] = {}
        for channel in summary.channels.values():
            self._add(channel)

    def messages(self, records: list[McapRecord]) -> StoredMessages:
        for record in records:
            if isinstance(record, Schema):
                self._schemas[record.id] = record
            elif isinstance(record, Channel):
                self._add(record)
            elif isinstance(record, Message):
                if record.channel_id not in self._connections:
                    self._connections[record.channel_id] = None
                    self._lose(
                        f'{self._name}: messages of topic number {record.channel_id} were left '
                        'out: its name is in a damaged part'
                    )
                connection = self._connections[record.channel_id]
                if connection is not None:
                    yield Stored(connection, record.log_time, record.data)

    def _add(self, channel: Channel) -> None:
        if channel.id in self._connections:
            return
        if channel.message_encoding != 'cdr':
            self._connections[channel.id] = None
            self._lose(
                f'{self._name}: {channel.topic} was left out: its messages are '
                f'{channel.message_encoding or "of no encoding"}, not those of ROS 2 (cdr)'
            )
            return
        schema = self._schemas.get(channel.schema_id)
        self._connections[channel.id] = make_connection(
            channel.id,
            channel.topic,
            schema.name if schema else 'unknown',
            definition=schema.data.decode(errors='replace') if schema else '',
            definition_format=schema.encoding if schema else '',
            qos=channel.metadata.get('offered_qos_profiles', ''),
            digest=channel.metadata.get('topic_type_hash', ''),
        )
