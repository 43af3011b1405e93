# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SHA-256 digests of model files, by which a robot accepts one file and no other."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mbu_ros.errors import InputError

DIGEST = re.compile('[0-9a-fA-F]{64}')
"""A digest as it is written: 64 hexadecimal digits."""
CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Digest of a file, 64 lower-case hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open('rb') as file:
        return _digest(file)


@contextmanager
def verified(path: Path, expected: str) -> Iterator[Path]:
    """Give a file with what `path` holds, which has this digest; '' means any, and `path` itself.

    The file given is a private copy, so that nobody can exchange the content once it was judged.

    Raises:
        InputError: the file has another digest.
        OSError: it cannot be read, or not be copied.
    """
    if not expected:
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=path.suffix) as copy, path.open('rb') as file:
        found = _digest(file, copy)
        if found != expected.lower():
            raise InputError(
                f'{path}: its SHA-256 is {found}, but {expected.lower()} is asked for; use the '
                'file that was meant, or ask for its digest'
            )
        copy.flush()
        yield Path(copy.name)


def _digest(file: IO[bytes], copy: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return digest.hexdigest()
