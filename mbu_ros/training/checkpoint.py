# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: written atomically, read without running anything that they hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from mbu_ros.errors import InputError
from mbu_ros.replacing import replacing

VERSION = 1


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; a reader sees the old checkpoint or the new one, whole."""
    with replacing(path) as temporary:
        torch.save({'version': VERSION, **content}, temporary)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises:
        InputError: it is missing, damaged or of another version.
    """
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f'{path}: no such checkpoint') from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError) as error:
        raise InputError(f'{path}: damaged or not a checkpoint of `mbu train`') from error
    if not isinstance(content, dict) or content.get('version') != VERSION:
        raise InputError(f'{path}: not a checkpoint of this release; train again')
    return content
