# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads sqlite3 files row by row: those cut off, with damaged pages, or still being written.

A file that is being written is read through SQLite's locks and with its write-ahead log; nothing
in it is changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from rosbags.interfaces import Connection

from mbu_ros.bags.connections import Stored, StoredMessages, make_connection
from mbu_ros.bags.reason import reason

MOST_MISSING = 10_000
"""So many rows in a row that cannot be read are taken for the end of the file."""
LOCK_TIMEOUT = 10.0
"""Seconds to wait for a recorder that is just writing."""

Lose = Callable[[str], None]
Row = tuple[int, int, int, bytes]


def read_sqlite(path: Path, lose: Lose) -> StoredMessages:
    """Messages in the order in which they were written.

    Args:
        path: the file.
        lose: is told what could not be read.

    Raises:
        sqlite3.Error: the file is no database, or its list of topics is unreadable.
    """
    with closing(_open(path, lose)) as database:
        connections = _connections(database, path.name, lose)
        for _, topic, time, data in _rows(database, path.name, lose):
            if topic in connections:
                yield Stored(connections[topic], time, data)


def is_open_elsewhere(path: Path) -> bool:
    """Whether a journal or write-ahead log lies beside it: it is being written, or was not closed.

    The file alone is then not the whole database.
    """
    for suffix in ('-wal', '-journal'):
        beside = path.with_name(path.name + suffix)
        if beside.is_file() and beside.stat().st_size:
            return True
    return False


def _open(path: Path, lose: Lose) -> sqlite3.Connection:
    address = f'file:{quote(str(path.absolute()))}'
    database = sqlite3.connect(f'{address}?mode=ro', uri=True, timeout=LOCK_TIMEOUT)
    try:
        _prepare(database)
    except sqlite3.Error as error:
        database.close()
        # In a folder that cannot be written to, SQLite refuses what lies in a log beside the file.
        database = sqlite3.connect(f'{address}?immutable=1', uri=True)
        try:
            _prepare(database)
        except sqlite3.Error:
            database.close()
            raise
        lose(f'{path.name}: read without what lies in its log beside it: {reason(error)}')
    return database


def _prepare(database: sqlite3.Connection) -> None:
    database.text_factory = lambda text: text.decode(errors='replace')
    # Without this, SQLite reads nothing at all of a file that is shorter than its header says.
    database.execute('PRAGMA writable_schema = ON')
    database.execute('SELECT id FROM topics').fetchall()


def _connections(database: sqlite3.Connection, name: str, lose: Lose) -> dict[int, Connection]:
    definitions = {}
    if database.execute('PRAGMA table_info(message_definitions)').fetchall():
        rows = database.execute(
            'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions'
        )
        definitions = {kind: (form, text) for kind, form, text in rows}
    connections = {}
    topics = database.execute('SELECT * FROM topics')
    columns = [column[0] for column in topics.description]
    for row in topics:
        # Older releases have fewer columns.
        topic = dict(zip(columns, row))
        if topic['serialization_format'] != 'cdr':
            lose(
                f'{name}: {topic["name"]} was left out: its messages are '
                f'{topic["serialization_format"]}, not those of ROS 2 (cdr)'
            )
            continue
        form, text = definitions.get(topic['type'], ('', ''))
        connections[topic['id']] = make_connection(
            topic['id'],
            topic['name'],
            topic['type'],
            definition=text,
            definition_format=form,
            digest=topic.get('type_description_hash', ''),
            qos=topic.get('offered_qos_profiles', ''),
        )
    return connections


def _rows(database: sqlite3.Connection, name: str, lose: Lose) -> Iterator[Row]:
    """Rows of messages by their number; those that cannot be read are stepped over."""
    last = 0
    unread = 0
    while True:
        try:
            rows = database.execute(
                'SELECT id, topic_id, timestamp, data FROM messages WHERE id > ? ORDER BY id',
                (last,),
            )
            for row in rows:
                if row[0] <= last:
                    # A damaged tree of pages may lead in a circle, for ever.
                    raise sqlite3.DatabaseError('its rows are not in order')
                if unread:
                    lose(f'{name}: rows {last - unread + 1} to {row[0] - 1} are damaged')
                    unread = 0
                last = row[0]
                yield row
            if unread:
                lose(f'{name}: damaged from row {last - unread + 1} on')
            return
        except sqlite3.DatabaseError as error:
            # Row by row from here on, until one can be read again.
            last += 1
            unread += 1
            if unread > MOST_MISSING:
                lose(f'{name}: damaged from row {last - unread + 1} on: {reason(error)}')
                return
