# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled kernels as files whose names say what they were made of.

    conv3x3.sm_87.<recipe>.<compiler>.<content>.cubin

The three digests are of the sources and flags, of the compiler's version, and of the file itself.
So one plain cubin needs nothing beside it: it can be copied to any folder that is searched, it is
never used for other sources, and a damaged one is noticed.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.replacing import replacing

_NAME = re.compile(r'(\w+)\.(sm_\w+)\.([0-9a-f]{16})\.([0-9a-f]{16})\.([0-9a-f]{16})\.cubin')


def digest(content: bytes) -> str:
    """Sixteen hexadecimal digits that stand for `content`."""
    return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True)
class CubinKey:
    """What a cubin is for.

    Attributes:
        source: the kernel source's name.
        target: what nvcc calls the architecture, such as 'sm_87'.
        recipe: digest of the source, the headers that it includes, and the compiler's flags.
    """

    source: str
    target: str
    recipe: str


def store(folder: Path, key: CubinKey, compiler: str, cubin: bytes) -> Path:
    """Write a cubin that `compiler` (a digest) made; returns its path.

    Safe with several processes at once: they write the same content, and nobody sees half of it.

    Raises:
        InputError: the file cannot be written.
    """
    name = f'{key.source}.{key.target}.{key.recipe}.{compiler}.{digest(cubin)}.cubin'
    with replacing(folder / name) as temporary:
        temporary.write_bytes(cubin)
    return folder / name


def find(folder: Path, key: CubinKey, compiler: str | None = None) -> bytes | None:
    """The cubin for a key, by this compiler (a digest) or by any; None where no good one is."""
    for path, found, made_by in _cubins(folder):
        if found != key or compiler not in (None, made_by):
            continue
        try:
            cubin = path.read_bytes()
        except OSError:
            continue
        if path.name.endswith(f'.{digest(cubin)}.cubin'):
            return cubin
    return None


def outdated(folder: Path, key: CubinKey) -> list[Path]:
    """Cubins of the same source and target that were made of something else."""
    return [
        path
        for path, found, _ in _cubins(folder)
        if (found.source, found.target) == (key.source, key.target) and found != key
    ]


def _cubins(folder: Path) -> list[tuple[Path, CubinKey, str]]:
    """Every cubin in a folder, with its key and its compiler's digest."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    matches = [match for name in names if (match := _NAME.fullmatch(name))]
    return [(folder / m[0], CubinKey(m[1], m[2], m[3]), m[4]) for m in matches]
