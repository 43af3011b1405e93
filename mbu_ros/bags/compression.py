# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags that were compressed message by message or file by file: zstd, as rosbag2 does, and LZ4.

mcap's compression by chunk is not done here, the readers of mcap do it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import lz4.frame
import zstandard

from mbu_ros.errors import InputError

LOGGER = logging.getLogger(__name__)

PACKED_SUFFIXES = ('.zstd', '.lz4')
"""What follows a storage file's own suffix where the whole file is compressed."""

# No CDR message begins with these bytes: its first one is always 0.
_ZSTD_START = b'\x28\xb5\x2f\xfd'
_LZ4_START = b'\x04\x22\x4d\x18'
_BLOCK = 1 << 20


def unpack_message(data: bytes) -> bytes:
    """A message as CDR, whether it was compressed or not.

    Raises whatever the decompressors raise where it is damaged.
    """
    if data.startswith(_ZSTD_START):
        # Unlike `decompress` this needs no size in the frame's header, which rosbag2 writes but
        # others may not.
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        unpacked = unpacker.decompress(data)
        if not unpacker.eof:
            raise ValueError('the compressed message is cut off')
        return unpacked
    if data.startswith(_LZ4_START):
        return lz4.frame.decompress(data)
    return data


class PackedFile:
    """A storage file that is unpacked to the folder for temporary files while somebody reads it.

    One file is unpacked at a time for all that read it at once, and removed when the last of them
    is done. The environment variable TMPDIR says where; memory does not grow with it.

    Args:
        path: a file whose last suffix is one of `PACKED_SUFFIXES`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers = 0
        self._folder: tempfile.TemporaryDirectory | None = None
        self._problem: str | None = None

    @contextmanager
    def unpacked(self) -> Iterator[tuple[Path, str | None]]:
        """The unpacked file, and what is wrong with it where its end could not be unpacked.

        Raises:
            InputError: there is no room for it, or the file cannot be read.
        """
        if not self._readers:
            self._unpack()
        self._readers += 1
        try:
            yield Path(self._folder.name) / self.path.stem, self._problem
        finally:
            self._readers -= 1
            if not self._readers:
                self._folder.cleanup()

    def _unpack(self) -> None:
        self._problem = None
        try:
            self._folder = tempfile.TemporaryDirectory(prefix='mbu_bag_')
        except OSError as error:
            raise InputError(f'{self.path}: nowhere to unpack it: {error.strerror}') from error
        target = Path(self._folder.name) / self.path.stem
        LOGGER.info('%s: unpacking to %s', self.path, target)
        try:
            with _open_packed(self.path) as packed, open(target, 'wb') as file:
                while block := self._read(packed):
                    file.write(block)
        except OSError as error:
            free = shutil.disk_usage(self._folder.name).free >> 20
            folder = Path(self._folder.name).parent
            self._folder.cleanup()
            raise InputError(
                f'{self.path}: cannot be unpacked to {folder} ({free} MB free): '
                f'{error.strerror or error}; set TMPDIR to a folder with more room'
            ) from error

    def _read(self, packed: BinaryIO) -> bytes:
        try:
            return packed.read(_BLOCK)
        except (zstandard.ZstdError, EOFError, RuntimeError) as error:
            self._problem = f'its end cannot be unpacked: {error}'
            return b''


def _open_packed(path: Path) -> BinaryIO:
    if path.suffix == '.lz4':
        return lz4.frame.open(path, 'rb')
    # One that is cut off just ends: whoever reads what was in it finds out.
    unpacker = zstandard.ZstdDecompressor()
    return unpacker.stream_reader(open(path, 'rb'), read_across_frames=True, closefd=True)
