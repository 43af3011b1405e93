# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: one schema, offline and live, as JSON, as CSV and on the screen.

`report.json`:
    schema_version   raised when a key changes its meaning or goes away
    mbu_ros          version of this package
    mode             'offline' (frames straight from a file) or 'live' (over ROS)
    source           what was evaluated, for people
    model, engine, device
    frames           frames that got a mask; the other figures are about these
    frames_in, frames_out, frames_dropped
    labelled_frames  those of `frames` that had a label
    miou, pixel_accuracy, iou (by class name): of all labelled pixels, see `metrics`
    latency_ms       p50, p95, p99 per frame. Offline: time inside the engine's call.
                     Live: as measured at the receiver of the masks.
    stages_ms        p50, p95, p99 by stage
    confusion        classes, counts [label][prediction], unpredicted [label] in pixels
A figure that is undefined is null, never NaN.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table

from mbu_ros import __version__
from mbu_ros.data.sample import ClassMap
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.replacing import replacing

SCHEMA_VERSION = 1
MODES = ('offline', 'live')

Percentiles = Mapping[str, 'float | None']


@dataclass(frozen=True)
class FrameRecord:
    """Figures of one frame; NaN or None where there is none.

    Attributes:
        name: unique within its source.
        time: seconds, as in `Sample.time` or the header's stamp.
        pixel_accuracy, miou: of this frame's labelled pixels.
        latency_ms: milliseconds.
    """

    name: str
    time: float | None = None
    pixel_accuracy: float | None = None
    miou: float | None = None
    latency_ms: float | None = None


def build_report(
    *,
    mode: str,
    source: str,
    model: str,
    engine: str,
    device: str,
    classes: ClassMap,
    confusion: ConfusionMatrix,
    frames_in: int,
    frames_out: int,
    labelled_frames: int,
    latency_ms: Percentiles,
    stages_ms: Mapping[str, Percentiles],
) -> dict:
    """Put a report together, ready for `write_json`; the module describes its keys.

    Args:
        mode: one of `MODES`.
        frames_in: frames that the source sent.
        frames_out: frames that got a mask.
        latency_ms: what `latency.percentiles` returns.
        stages_ms: the same by stage, in running order.
    """
    if mode not in MODES:
        raise ValueError(f'no mode {mode!r}; choose one of {", ".join(MODES)}')
    return _without_nan({
        'schema_version': SCHEMA_VERSION,
        'mbu_ros': __version__,
        'mode': mode,
        'source': source,
        'model': model,
        'engine': engine,
        'device': device,
        'frames': frames_out,
        'frames_in': frames_in,
        'frames_out': frames_out,
        'frames_dropped': frames_in - frames_out,
        'labelled_frames': labelled_frames,
        'miou': confusion.miou(),
        'pixel_accuracy': confusion.pixel_accuracy(),
        'iou': dict(zip(classes.names, confusion.iou().tolist())),
        'latency_ms': dict(latency_ms),
        'stages_ms': {stage: dict(values) for stage, values in stages_ms.items()},
        'confusion': {
            'classes': list(classes.names),
            'counts': confusion.counts.tolist(),
            'unpredicted': confusion.unpredicted.tolist(),
        },
    })


def write_json(path: Path | str, report: dict) -> None:
    """Write a report; a reader sees the old file or the whole new one, never a part.

    Raises:
        InputError: the file cannot be written.
    """
    text = json.dumps(_without_nan(report), indent=2, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + '\n', encoding='utf-8')


def write_frames(path: Path | str, records: Iterable[FrameRecord]) -> None:
    """Write one CSV line per frame: name, stamp (s), pixel accuracy, mIoU, latency (ms).

    Raises:
        InputError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(['name', 'stamp', 'pixel_accuracy', 'miou', 'latency_ms'])
    for record in records:
        figures = (record.time, record.pixel_accuracy, record.miou, record.latency_ms)
        table.writerow([record.name, *('' if _undefined(f) else f'{f:.6f}' for f in figures)])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding='utf-8')


def print_report(report: dict, console: Console | None = None) -> None:
    """Show a report as tables: IoU per class, totals and latencies."""
    console = console or Console()
    console.print(
        f'{report["model"]} on {report["source"]}, {report["mode"]}, '
        f'{report["engine"]} engine ({report["device"]})',
        markup=False,
        highlight=False,
    )
    if report['labelled_frames']:
        console.print(_accuracy_table(report))
    else:
        console.print('No labels: accuracy was not measured.')
    console.print(_latency_table(report))
    console.print(
        f'Frames in {report["frames_in"]}, out {report["frames_out"]}, '
        f'dropped {report["frames_dropped"]}; with labels {report["labelled_frames"]}',
        highlight=False,
    )


def _accuracy_table(report: dict) -> Table:
    table = Table('Class', 'IoU', '', show_footer=True)
    table.columns[1].justify = 'right'
    table.columns[0].footer = 'mean\npixel accuracy'
    table.columns[1].footer = f'{_share(report["miou"])}\n{_share(report["pixel_accuracy"])}'
    for name, iou in report['iou'].items():
        bar = ProgressBar(total=1.0, completed=iou or 0.0, width=24)
        table.add_row(name, _share(iou), bar)
    return table


def _latency_table(report: dict) -> Table:
    table = Table('Milliseconds', 'p50', 'p95', 'p99')
    for column in table.columns[1:]:
        column.justify = 'right'
    rows = {**report['stages_ms'], 'latency': report['latency_ms']}
    for name, values in rows.items():
        table.add_row(name, *(_time(values[p]) for p in ('p50', 'p95', 'p99')))
    return table


def _share(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'


def _time(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f}'


def _undefined(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if _undefined(value) else value
