# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How whoever starts node and player tells the evaluator that one of them has ended.

DDS takes 20 seconds to notice that a process was killed, and never tells its exit code. A file in
a folder that both know does, also to an evaluator that is not up yet.
"""

from __future__ import annotations

from pathlib import Path

from mbu_ros.exit_code import describe_exit
from mbu_ros.replacing import replacing


def note_end(folder: Path | str, name: str, code: int) -> None:
    """Note that a process has ended.

    Args:
        folder: one of this run; made where missing.
        name: 'node' or 'player'.
        code: its exit code; negative where a signal ended it.

    Raises:
        InputError: the note cannot be written.
    """
    with replacing(Path(folder) / name) as temporary:
        temporary.write_text(str(code), encoding='utf-8')


def read_ends(folder: Path | str) -> dict[str, int]:
    """Exit codes of the processes that have ended, by name; none without a folder."""
    # What is being written has a name that begins with a dot.
    files = (path for path in Path(folder).glob('[!.]*') if path.is_file())
    return {path.name: int(path.read_text(encoding='utf-8')) for path in files}


def describe_end(name: str, code: int) -> str:
    """What happened to a process, such as 'the node was ended by signal 9'."""
    return f'the {name} {describe_exit(code)}'
