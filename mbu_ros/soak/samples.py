# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The samples of a soak as a CSV file, which has what there is when the soak is interrupted."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from mbu_ros.errors import InputError

COLUMNS = (
    *('seconds', 'rss_mb', 'gpu_mb', 'threads', 'handles'),
    *('hz', 'p50_ms', 'p95_ms', 'p99_ms', 'sent', 'answered', 'lost'),
)
"""Of a line: when, since the first frame; what the process takes; what became of the frames since
the line before."""


class SampleFile:
    """Writes a line at once when there is one; as a context manager it is closed in the end.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open('w', newline='', encoding='utf-8', buffering=1)
        except OSError as error:
            raise self._error(error) from error
        self._writer = csv.DictWriter(self._file, COLUMNS)
        self._write(dict(zip(COLUMNS, COLUMNS)))

    def add(self, sample: Mapping[str, float | None]) -> None:
        """Write a sample, with a value or None for each of `COLUMNS`."""
        self._write(
            {key: '' if sample[key] is None else round(sample[key], 3) for key in COLUMNS}
        )

    def __enter__(self) -> SampleFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:  # it holds what could not be written
            if error is None:
                raise self._error(failure) from failure

    def _write(self, row: Mapping[str, object]) -> None:
        try:
            self._writer.writerow(row)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> InputError:
        return InputError(f'{self._path}: cannot be written: {error.strerror or error}')
