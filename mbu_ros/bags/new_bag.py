# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

from mbu_ros.errors import InputError

STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
METADATA_VERSION = 8  # the newest that ROS 2 releases before Kilted read


@contextmanager
def new_bag(path: Path, storage: str, custom: Mapping[str, str]) -> Iterator[Writer]:
    """A writer of rosbags whose bag appears under its name when the block ends.

    It is written beside its place and moved there: whatever happens, nobody finds half a bag under
    the name asked for. Where the block raises, nothing is left.

    Args:
        path: folder to make; its parents are made too.
        storage: one of `STORAGES`.
        custom: the bag's custom data.

    Raises:
        InputError: the path exists or cannot be written; the block must use `report_failure`.
    """
    _refuse_existing(path)
    with report_failure(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f'.{path.name}.', dir=path.parent))
    try:
        writer = Writer(
            folder / path.name, version=METADATA_VERSION, storage_plugin=STORAGES[storage]
        )
        for key, value in custom.items():
            writer.set_custom_data(key, value)
        try:
            with report_failure(path):
                writer.open()
            yield writer
            with report_failure(path):
                writer.close()
                _refuse_existing(path)
                os.rename(folder / path.name, path)
        except BaseException:
            # On a full disk it fails again, at what it still holds.
            with suppress(OSError, sqlite3.Error):
                writer.abort()
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def report_failure(path: Path) -> Iterator[None]:
    """Turn failures to write into an InputError that names the bag."""
    try:
        yield
    except (OSError, sqlite3.Error, WriterError) as error:
        raise InputError(f'{path}: the bag cannot be written: {error}') from error


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise InputError(f'{path}: exists already; remove it or choose another path')
