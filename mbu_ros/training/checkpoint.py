# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: written atomically, read without running anything that they hold."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from mbu_ros.errors import InputError
from mbu_ros.replacing import replacing

VERSION = 2


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; a reader sees the old checkpoint or the new one, whole."""
    with replacing(path) as temporary:
        # Through memory, because torch turns a full disk into an error of its own kind.
        buffer = io.BytesIO()
        torch.save({'version': VERSION, **content}, buffer)
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path, keys: Collection[str]) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Args:
        path: the file.
        keys: what it must hold.

    Raises:
        InputError: it is missing, damaged or of another version.
    """
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f'{path}: no such checkpoint') from error
    # What a damaged file makes of the unpickler has no common kind.
    except Exception as error:
        raise InputError(
            f'{path}: damaged or not a checkpoint of `mbu train`; delete it, and its network is '
            'trained again with --resume'
        ) from error
    version = content.get('version') if isinstance(content, dict) else None
    if version != VERSION or not set(content) >= set(keys):
        raise InputError(f'{path}: not a checkpoint of this release; train again')
    return content
