# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a report that an earlier evaluation left behind."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from mbu_ros.errors import InputError
from mbu_ros.evaluation.report.comparison_page import render_comparison
from mbu_ros.evaluation.report.comparison_screen import print_comparison
from mbu_ros.evaluation.report.report import SCHEMA_VERSION

NAME = 'report.json'
KINDS = {
    **dict.fromkeys(('versions', 'configuration', 'stability', 'confusion', 'latency_ms'), dict),
    **dict.fromkeys(('iou', 'precision', 'recall', 'f1', 'boundary_f1'), dict),
    **dict.fromkeys(('stages_ms', 'dropped', 'labels', 'sequences'), dict),
    **dict.fromkeys(('mode', 'source', 'model', 'engine', 'device', 'created'), str),
    **dict.fromkeys(('frames_in', 'frames_out', 'frames_dropped', 'labelled_frames'), int),
    **dict.fromkeys(('notes', 'thresholds'), list),
}
"""What a report must have; enough to tell it from any other JSON file."""


def read_report(path: Path | str) -> dict[str, Any]:
    """Read report.json, named itself or by its folder.

    Raises:
        InputError: there is none, or it is not a report of this schema version.
    """
    path = Path(path)
    if path.is_dir():
        path = path / NAME
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise InputError(
            f'{path}: no such file; name a folder that `mbu evaluate --report` wrote'
        ) from error
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror or error}') from error
    except (ValueError, RecursionError) as error:
        raise InputError(f'{path}: not JSON ({error}); it may have been cut off') from error
    version = report.get('schema_version') if isinstance(report, dict) else None
    if version is None:
        raise InputError(f'{path}: not a report of `mbu evaluate`: it has no schema_version')
    if version != SCHEMA_VERSION:
        raise InputError(
            f'{path}: has schema version {version}, but this mbu_ros reads {SCHEMA_VERSION}; '
            'run the evaluation again with this version'
        )
    wrong = [name for name, kind in KINDS.items() if not isinstance(report.get(name), kind)]
    if wrong:
        raise InputError(f'{path}: not a whole report: {", ".join(wrong)} missing or of no use')
    try:  # what lies deeper is of use if it can be shown
        print_comparison(report, report, Console(file=io.StringIO()))
        render_comparison(report, report)
    except Exception as error:
        raise InputError(f'{path}: not a whole report: {error!r}') from error
    return report
