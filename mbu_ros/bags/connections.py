# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Topics of damaged files in the form in which rosbags gives those of sound ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.rosbag2.metadata import parse_qos

_FORMATS = {
    'ros2msg': MessageDefinitionFormat.MSG,
    'ros2idl': MessageDefinitionFormat.IDL,
    'omgidl': MessageDefinitionFormat.IDL,
}


class Stored(NamedTuple):
    """A message as a storage file gives it."""

    connection: Connection
    time: int
    """When it was logged, nanoseconds since 1970."""
    data: bytes
    """As stored: perhaps compressed, see `compression.unpack_message`."""


StoredMessages = Iterator[Stored]


def make_connection(
    number: int,
    topic: str,
    kind: str,
    *,
    definition: str = '',
    definition_format: str = '',
    digest: str = '',
    qos: object = '',
    messages: int = 0,
) -> Connection:
    """A topic of a bag; `qos` is the text or list that bags hold, left out if unreadable."""
    try:
        profiles = parse_qos(qos)
    except Exception:  # any text may stand there; nothing but a player's habits depends on it
        profiles = []
    kind_of_text = _FORMATS.get(definition_format, MessageDefinitionFormat.NONE)
    return Connection(
        number,
        topic,
        kind,
        MessageDefinition(kind_of_text, definition),
        digest,
        messages,
        ConnectionExtRosbag2('cdr', profiles),
        None,
    )
