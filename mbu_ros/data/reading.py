# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whole files from folders that may hold anything."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

MAX_JSON_BYTES = 1 << 26
"""No description of a data set, run or report comes near this."""


def read_file(path: Path, most_bytes: int) -> bytes:
    """Read all of a file.

    Raises:
        OSError: it cannot be read, is larger than `most_bytes`, or is no regular file: reading a
            pipe or a device may never end.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, 'Is a directory', str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, 'Not a regular file', str(path))
    if status.st_size > most_bytes:
        reason = f'{status.st_size} bytes, more than the {most_bytes} that are read'
        raise OSError(errno.EFBIG, reason, str(path))
    return path.read_bytes()
