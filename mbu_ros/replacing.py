# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mbu_ros.errors import InputError


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to, which takes its place at the end.

    Readers see the old file or the whole new one. Where the body raises, the old one stays and
    nothing else is left. Missing folders are made.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)  # mkstemp makes a file that only its owner can read
            temporary.replace(path)
        except BaseException:
            temporary.unlink()
            raise
    except OSError as error:
        raise InputError(f'{path}: cannot be written: {error.strerror or error}') from error
