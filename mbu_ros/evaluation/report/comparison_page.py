# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""compare.html: two reports side by side, one file like report.html."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from mbu_ros.evaluation.report.compare import compare, title, warnings
from mbu_ros.evaluation.report.json_types import Report
from mbu_ros.evaluation.report.page import page_template
from mbu_ros.replacing import replacing

NAME = 'compare.html'
SHARES = ('Accuracy', 'IoU by class', 'Precision by class', 'Recall by class', 'F1 by class')
"""Groups whose values run from 0 to 1, so that they can be drawn as bars."""
IMPORTANT = {
    ('Accuracy', 'mean IoU'),
    ('Accuracy', 'pixel accuracy'),
    ('Accuracy', 'flicker'),
    ('Latency, ms', 'p50'),
    ('Latency, ms', 'p95'),
    ('Frames', 'share dropped'),
    ('Peak', 'images per second'),
}


def write_comparison(folder: Path | str, a: Report, b: Report) -> Path:
    """Write compare.html and return its path.

    Args:
        folder: made where missing.
        a, b: as of `stored_report.read_report`.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(folder) / NAME
    with replacing(path) as temporary:
        temporary.write_bytes(render_comparison(a, b).encode('utf-8', 'replace'))
    return path


def render_comparison(a: Report, b: Report) -> str:
    """The page of two reports."""
    rows = [row for row in compare(a, b) if not row.a is row.b is None]
    return page_template('compare.html.j2').render(
        a=a,
        b=b,
        titles={'A': title(a), 'B': title(b)},
        warnings=warnings(a, b),
        important=[row for row in rows if (row.group, row.name) in IMPORTANT],
        groups=[(group, list(of)) for group, of in groupby(rows, lambda row: row.group)],
        shares=SHARES,
    )
