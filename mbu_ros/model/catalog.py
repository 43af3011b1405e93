# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which model a user means: one shipped with the package, by name, or a file."""

from __future__ import annotations

from pathlib import Path

from mbu_ros.errors import InputError
from mbu_ros.share import share_directories

SUFFIX = '.safetensors'


def shipped_models() -> dict[str, Path]:
    """Models installed with the package, by name."""
    found: dict[str, Path] = {}
    for folder in share_directories('models'):
        for path in sorted(folder.glob(f'*{SUFFIX}')):
            found.setdefault(path.stem, path)
    return found


def find_model(name_or_path: str | Path) -> Path:
    """The file of a shipped model's name, or the path itself where it is a file.

    Raises:
        InputError: neither; the text lists the shipped models.
    """
    try:
        path = Path(name_or_path).expanduser()
        if path.is_file():
            return path
    except (OSError, RuntimeError):  # a name too long for a file, or ~ of an unknown user
        pass
    models = shipped_models()
    if str(name_or_path) in models:
        return models[str(name_or_path)]
    shipped = ', '.join(sorted(models)) or 'none is installed'
    raise InputError(
        f'no model {str(name_or_path)!r}: neither a file nor a shipped model ({shipped})'
    )
