# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folder that an evaluation leaves behind."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.frame_record import FrameRecord
from mbu_ros.evaluation.report.gallery_files import write_gallery
from mbu_ros.evaluation.report.json_types import Report
from mbu_ros.evaluation.report.page import render_report
from mbu_ros.evaluation.report.report import write_json
from mbu_ros.replacing import replacing

JSON, FRAMES, PAGE = 'report.json', 'frames.csv', 'report.html'


def write_report(folder: Path | str, evaluation: Evaluation, report: Report) -> list[Path]:
    """Write report.json, frames.csv, report.html and, where gathered, pictures of frames.

    Args:
        folder: made where missing; files of these names in it are replaced.
        evaluation: what the report is of.
        report: as of `report.build_report`.

    Returns:
        The paths written.

    Raises:
        InputError: a file cannot be written.
    """
    folder = Path(folder)
    write_json(folder / JSON, report)
    tolerances = () if evaluation.boundary is None else evaluation.boundary.tolerances
    write_frames(folder / FRAMES, evaluation.records, tolerances)
    page = render_report(report, evaluation.records, evaluation.gallery)
    with replacing(folder / PAGE) as temporary:
        temporary.write_bytes(page.encode('utf-8', 'replace'))
    pictures = [] if evaluation.gallery is None else write_gallery(folder, evaluation.gallery)
    return [folder / JSON, folder / FRAMES, folder / PAGE, *pictures]


def write_frames(
    path: Path | str, records: Iterable[FrameRecord], tolerances: Sequence[int] = ()
) -> None:
    """Write one CSV line per frame; what is undefined is empty.

    Args:
        path: the file.
        records: one per line.
        tolerances: of the records' boundary F1, in pixels.

    Raises:
        InputError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow([
        *('sequence', 'name', 'stamp_ns', 'time_s', 'pixel_accuracy', 'miou'),
        *(f'boundary_f1_{tolerance}px' for tolerance in tolerances),
        *('flicker', 'change', 'agreement', 'latency_ms'),
    ])
    for record in records:
        # A frame without a label has no boundary scores, yet the columns are there.
        boundary = record.boundary_f1 or (None,) * len(tolerances)
        stamp = '' if record.stamp is None else record.stamp
        figures = (
            *(record.time, record.pixel_accuracy, record.miou, *boundary),
            *(record.flicker, record.change, record.agreement, record.latency_ms),
        )
        cells = ('' if figure is None else f'{figure:.6f}' for figure in figures)
        table.writerow([record.sequence, record.name, stamp, *cells])
    with replacing(path) as temporary:
        temporary.write_bytes(text.getvalue().encode('utf-8', 'replace'))
