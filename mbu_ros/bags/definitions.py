# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Definitions of message types, to be written into a copy of the bag they come from."""

from __future__ import annotations

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from mbu_ros.bags.format import TYPESTORE

NO_HASH = 'RIHS01_' + '0' * 64
"""In the place of the hash of a type of which no definition is known."""


def define(connection: Connection, digest: str = '') -> tuple[str, str]:
    """Definition and hash (RIHS01) of a topic's type.

    What the bag says counts; what it does not say comes from the types that are known here. Both
    may be unknown: the definition is then empty, the hash `NO_HASH`.

    Args:
        connection: the topic.
        digest: the hash, where it was found elsewhere.
    """
    kind, definition = connection.msgtype, connection.msgdef
    digest = digest or connection.digest
    if definition.format == MessageDefinitionFormat.NONE:
        if kind not in TYPESTORE.fielddefs:
            return '', digest or NO_HASH
        text, _ = TYPESTORE.generate_msgdef(kind, ros_version=2)
        return text, digest or TYPESTORE.hash_rihs01(kind)
    return definition.data, digest or _hash(connection)


def _hash(connection: Connection) -> str:
    kind, (form, text) = connection.msgtype, connection.msgdef
    try:
        if form == MessageDefinitionFormat.MSG:
            types = get_types_from_msg(text, kind)
        else:
            types = get_types_from_idl(text)
        store = get_typestore(Stores.EMPTY)
        store.register(types)
        return store.hash_rihs01(kind)
    except Exception:  # any text may stand there; nothing is played differently without the hash
        return NO_HASH
