# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the package's models, launch files and so on lie, however it was installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def _candidates() -> Iterator[Path]:
    source = Path(__file__).resolve().parent.parent
    if (source / 'package.xml').is_file():  # a checkout, or an editable installation of one
        yield source
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        if prefix:
            yield Path(prefix) / 'share' / 'mbu_ros'
    yield Path(sys.prefix) / 'share' / 'mbu_ros'
    # pip install --target and --user put data beside the packages: TARGET/share, ~/.local/share.
    for parent in Path(__file__).resolve().parents[1:5]:
        yield parent / 'share' / 'mbu_ros'


def share_directories(name: str) -> list[Path]:
    """Existing folders called `name` ('models', 'launch', ...) of this package, nearest first."""
    found: list[Path] = []
    for candidate in _candidates():
        folder = candidate / name
        if folder.is_dir() and folder not in found:
            found.append(folder)
    return found
