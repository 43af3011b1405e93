# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""metadata.yaml: what a bag's folder says of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeVar

from rosbags.interfaces import Connection
from ruamel.yaml import YAML

from mbu_ros.bags.connections import make_connection
from mbu_ros.bags.reason import reason
from mbu_ros.errors import InputError

Value = TypeVar('Value', int, str)

METADATA = 'metadata.yaml'
NEWEST_VERSION = 9


@dataclass(frozen=True)
class FileFacts:
    """What is said of a file, or of the whole bag.

    Attributes:
        connections: topics with their numbers of messages.
        start, end: log time of the first message, and 1 after that of the last one, ns.
        messages: how many there are.
    """

    connections: tuple[Connection, ...]
    start: int
    end: int
    messages: int


@dataclass(frozen=True)
class Metadata:
    """A bag's metadata.

    Attributes:
        files: names in the bag's folder, in order of time.
        bag: of all files together.
        by_file: messages and times of single files, where it says so (from version 5 on).
        custom: the user's data.
    """

    files: tuple[str, ...]
    bag: FileFacts
    by_file: Mapping[str, FileFacts] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)


def read_metadata(folder: Path) -> Metadata:
    """Read the metadata.yaml in a bag's folder.

    Raises:
        FileNotFoundError: there is none.
        InputError: it cannot be read.
    """
    path = folder / METADATA
    try:
        text = path.read_text(encoding='utf-8')
        content = YAML(typ='safe', pure=True).load(text)['rosbag2_bagfile_information']
        version = _of(int, content['version'])
    except FileNotFoundError:
        raise
    except Exception as error:  # a file cut off or damaged raises whatever YAML and lookup raise
        raise InputError(f'{path}: unreadable: {reason(error)}') from error
    if version > NEWEST_VERSION:
        raise InputError(f'{path}: version {version} of rosbag2 is newer than {NEWEST_VERSION}')
    try:
        return _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f'{path}: unreadable: {reason(error)}') from error


def _parse(content: Mapping) -> Metadata:
    connections = tuple(
        make_connection(
            number,
            _of(str, topic['topic_metadata']['name']),
            _of(str, topic['topic_metadata']['type']),
            digest=_of(str, topic['topic_metadata'].get('type_description_hash') or ''),
            qos=topic['topic_metadata'].get('offered_qos_profiles', ''),
            messages=_of(int, topic['message_count']),
        )
        for number, topic in enumerate(content['topics_with_message_count'], 1)
    )
    by_file = {
        PurePath(file['path']).name: _facts(file, ()) for file in content.get('files') or ()
    }
    return Metadata(
        # Until version 3, paths began at the folder above.
        tuple(PurePath(name).name for name in content['relative_file_paths']),
        _facts(content, connections),
        by_file,
        dict(content.get('custom_data') or {}),
    )


def _of(kind: type[Value], value: object) -> Value:
    """A value of that type; TypeError where it is of another."""
    if type(value) is not kind:  # YAML's true is no number
        raise TypeError(f'{value!r} is no {kind.__name__}')
    return value


def _facts(content: Mapping, connections: tuple[Connection, ...]) -> FileFacts:
    start = _of(int, content['starting_time']['nanoseconds_since_epoch'])
    messages = _of(int, content['message_count'])
    duration = _of(int, content['duration']['nanoseconds'])
    if not messages:
        return FileFacts(connections, 0, 0, 0)
    return FileFacts(connections, start, start + duration + 1, messages)
