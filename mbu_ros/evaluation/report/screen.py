# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A report on the screen: tables of the most important figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mbu_ros.evaluation.report.json_types import Report
from mbu_ros.printable import printable

TIMES = ('p50', 'p95', 'p99')


def print_report(report: Report, console: Console | None = None) -> None:
    """Show a report: accuracy by class, latencies, frames, and what became of thresholds."""
    console = console or Console()
    _say(
        console,
        f'{report["model"]} on {report["source"]}, {report["mode"]}, '
        f'{report["engine"]} engine ({report["device"]})',
    )
    if report['labelled_frames']:
        console.print(_accuracy_table(report))
    elif report['frames_out']:
        _say(console, 'No labels: accuracy was not measured.')
    if report['agreement']:
        agreement = report['agreement']
        _say(
            console,
            f'{agreement["model"]} says the same of {_percent(agreement["pixel_share"])} of the '
            f'pixels; mean IoU between the two {_share(agreement["miou"])}',
        )
    if report['frames_out']:
        console.print(_latency_table(report))
    _say(console, _frames(report))
    for note in report['notes']:
        _say(console, f'Note: {note}')
    for entry in report['thresholds']:
        _say(console, _threshold(entry), 'green' if entry['passed'] else 'bold red')


def _say(console: Console, text: str, style: str = '') -> None:
    """Plain text: names may hold what would be markup."""
    console.print(Text(printable(text), style))


def _accuracy_table(report: Report) -> Table:
    table = Table('Class', 'IoU', '', 'Precision', 'Recall', 'F1')
    for index in (1, 3, 4, 5):
        table.columns[index].justify = 'right'
    for name, iou in report['iou'].items():
        others = (_share(report[key][name]) for key in ('precision', 'recall', 'f1'))
        table.add_row(Text(printable(name)), _share(iou), _bar(iou), *others)
    table.add_section()
    totals = {
        'mean': report['miou'],
        'by frequency': report['fw_iou'],
        'pixel accuracy': report['pixel_accuracy'],
        **{f'boundary F1 {px} px': score['mean'] for px, score in report['boundary_f1'].items()},
    }
    for name, value in totals.items():
        table.add_row(name, _share(value), _bar(value))
    table.add_row('flicker', _share(report['stability']['flicker']))
    return table


def _bar(value: float | None) -> ProgressBar:
    return ProgressBar(total=1.0, completed=value or 0.0, width=20)


def _latency_table(report: Report) -> Table:
    table = Table('Milliseconds', *TIMES)
    for column in table.columns[1:]:
        column.justify = 'right'
    rows = {**report['stages_ms'], 'latency': report['latency_ms']}
    for name, values in rows.items():
        table.add_row(Text(printable(name)), *(_time(values[p]) for p in TIMES))
    return table


def _frames(report: Report) -> str:
    reasons = ', '.join(f'{name} {count}' for name, count in report['dropped'].items() if count)
    labels = report['labels']
    lost = ', '.join(f'{labels[key]} {key}' for key in ('unmatched', 'unusable') if labels[key])
    return (
        f'Frames in {report["frames_in"]}, out {report["frames_out"]}, '
        f'dropped {report["frames_dropped"]}{f" ({reasons})" if reasons else ""}; '
        f'with labels {report["labelled_frames"]}{f" (labels {lost})" if lost else ""}'
    )


def _threshold(entry: Mapping[str, Any]) -> str:
    value = 'undefined' if entry['value'] is None else f'{entry["value"]:.4g}'
    verdict = 'kept' if entry['passed'] else 'MISSED'
    return f'{entry["name"]} {entry["limit"]:g}: {verdict}, it is {value}'


def _share(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{value:.2%}'


def _time(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f}'
