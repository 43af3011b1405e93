# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folder in which the results of parts lie until all are there.

After an interruption it is what a run can go on from, provided that it is the same run: the folder
remembers what the run was made of.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.parts import PartCounts
from mbu_ros.replacing import replacing

FOLDER = '.parts'
"""Its name within the folder of a report."""
FINGERPRINT = 'run.json'

Fingerprint = Mapping[str, Mapping[str, object]]
"""What a result depends on: {'files': {...}, 'options': {...}}, see `parts_folder.fingerprint`."""


class PartsFolder:
    """Results of parts by their number.

    Args:
        path: the folder; made where missing.
        fingerprint: what this run is made of.
        resume: go on with the results in the folder; otherwise they are removed.

    Raises:
        InputError: the results in the folder are those of another run (the text says what
            differs), or the folder cannot be written.
    """

    def __init__(self, path: Path, fingerprint: Fingerprint, *, resume: bool) -> None:
        self.path = path
        mark = path / FINGERPRINT
        if resume and mark.exists():
            _check_same(path, mark, fingerprint)
            return
        try:
            if path.exists():
                shutil.rmtree(path)
        except OSError as error:
            raise InputError(f'{path}: cannot be removed: {error.strerror}') from error
        with replacing(mark) as temporary:
            temporary.write_text(json.dumps(fingerprint), encoding='utf-8')

    def has(self, index: int) -> bool:
        """Whether the result of this part is there."""
        return self._counts(index).is_file()

    def put(self, index: int, evaluation: Evaluation, counts: PartCounts) -> None:
        """Keep the result of a part.

        Raises:
            InputError: it cannot be written.
        """
        evaluation.save(self._evaluation(index))
        # Written last: where it lies, the other is complete.
        with replacing(self._counts(index)) as temporary:
            temporary.write_text(json.dumps(asdict(counts)), encoding='utf-8')

    def get(self, index: int) -> tuple[Evaluation, PartCounts]:
        """The result of a part.

        Raises:
            InputError: it is damaged.
        """
        try:
            counts = PartCounts(**json.loads(self._counts(index).read_text(encoding='utf-8')))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f'{self._counts(index)}: unreadable: {error}; start anew without --resume'
            ) from error
        return Evaluation.load(self._evaluation(index)), counts

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _evaluation(self, index: int) -> Path:
        return self.path / f'{index:06d}.npz'

    def _counts(self, index: int) -> Path:
        return self.path / f'{index:06d}.json'


def fingerprint(files: tuple[Path, ...], options: Mapping[str, object]) -> dict[str, Any]:
    """What a result depends on: size and time of each file, and the options, for JSON.

    Raises:
        InputError: a file is missing.
    """
    try:
        marks = {}
        for file in files:
            status = file.stat()
            marks[str(file.resolve())] = [status.st_size, status.st_mtime_ns]
    except OSError as error:
        raise InputError(f'{file}: cannot be read: {error.strerror}') from error
    return {'files': marks, 'options': json.loads(json.dumps(options))}


def _check_same(path: Path, mark: Path, wanted: Fingerprint) -> None:
    try:
        found = json.loads(mark.read_text(encoding='utf-8'))
        files, options = dict(found['files']), dict(found['options'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{mark}: unreadable: {error}; start anew without --resume'
        ) from error
    differences = [
        f'{name} was {options.get(name)!r} and is {wanted["options"].get(name)!r}'
        for name in sorted({*options, *wanted['options']})
        if options.get(name) != wanted['options'].get(name)
    ] or [  # other options may well mean other files
        f'{name} has changed'
        for name in sorted({*files, *wanted['files']})
        if files.get(name) != wanted['files'].get(name)
    ]
    if differences:
        more = f', and {len(differences) - 3} more' if len(differences) > 3 else ''
        raise InputError(
            f'{path.parent}: the interrupted run was another one: {"; ".join(differences[:3])}'
            f'{more}; repeat it as it was, or start anew without --resume'
        )
