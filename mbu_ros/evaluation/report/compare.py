# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two reports side by side: which figures differ, by how much, and which is better.

`mbu evaluate --compare A B [--report DIR]` reads both with `stored_report.read_report`, prints
`comparison_screen.print_comparison`, and writes `comparison_page.write_comparison`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mbu_ros.evaluation.report.json_types import Report

HIGHER, LOWER, NEITHER = 1, -1, 0
"""Which value is the better one."""
OF_CLASSES = {'iou': 'IoU', 'precision': 'Precision', 'recall': 'Recall', 'f1': 'F1'}
TIMES = ('min', 'mean', 'p50', 'p95', 'p99', 'max', 'jitter')
FACTS = ('mode', 'source', 'model', 'model_sha256', 'engine', 'device')


@dataclass(frozen=True)
class Row:
    """One figure or fact of two reports.

    Attributes:
        group: what it belongs to, such as 'Accuracy'.
        name: what it is, such as 'mean IoU'.
        a, b: its values; None where undefined or absent.
        difference: b - a; None unless both are numbers.
        better: whether b is better than a; None where they are equal, where one is undefined, and
            where neither direction is better.
    """

    group: str
    name: str
    a: object
    b: object
    difference: float | None = None
    better: bool | None = None

    @property
    def differs(self) -> bool:
        """Whether the two values are not the same."""
        return self.a != self.b


def compare(a: Report, b: Report) -> list[Row]:
    """Rows of all that two reports have in common or differ in, in the order to show them.

    Args:
        a, b: reports of the present schema version.
    """
    return [
        *_run(a, b),
        *_accuracy(a, b),
        *_times(a, b),
        *_frames(a, b),
        *_peak(a, b),
        *_dictionaries('Configuration', a['configuration'], b['configuration']),
        *_dictionaries('Versions', a['versions'], b['versions']),
    ]


def title(report: Report) -> str:
    """One line for people: what a report is of."""
    return (
        f'{report["model"]} on {report["source"]}, {report["mode"]}, {report["engine"]} engine '
        f'({report["device"]}), {report["created"]}'
    )


def warnings(a: Report, b: Report) -> list[str]:
    """Why figures of the two may not be comparable, for people."""
    found = []
    if a['source'] != b['source']:
        found.append('The sources differ, so accuracies are of other frames.')
    if a['confusion']['classes'] != b['confusion']['classes']:
        found.append('The classes differ.')
    elif a['labelled_frames'] != b['labelled_frames']:
        found.append('The numbers of labelled frames differ: so do the frames that were measured.')
    if a['mode'] != b['mode']:
        found.append(
            'One ran live and one offline: latencies are of the whole path, or of the engine alone.'
        )
    if (a['device'], a['versions']['processor']) != (b['device'], b['versions']['processor']):
        found.append('The devices differ, so latencies are of other machines.')
    return found


def _row(group: str, name: str, a: Any, b: Any, better: int = NEITHER) -> Row:
    if not (_is_number(a) and _is_number(b)):
        return Row(group, name, a, b)
    difference = b - a
    sign = difference * better
    return Row(group, name, a, b, difference, sign > 0 if sign else None)


def _run(a: Report, b: Report) -> Iterator[Row]:
    for name in FACTS:
        yield _row('Run', name, a[name], b[name])


def _accuracy(a: Report, b: Report) -> Iterator[Row]:
    figures = {'miou': 'mean IoU', 'fw_iou': 'frequency-weighted IoU'}
    for key, name in {**figures, 'pixel_accuracy': 'pixel accuracy'}.items():
        yield _row('Accuracy', name, a[key], b[key], HIGHER)
    for tolerance in _union(a['boundary_f1'], b['boundary_f1']):
        mean_a, mean_b = (r['boundary_f1'].get(tolerance, {}).get('mean') for r in (a, b))
        yield _row('Accuracy', f'boundary F1, {tolerance} px', mean_a, mean_b, HIGHER)
    for key in ('flicker', 'change'):
        better = LOWER if key == 'flicker' else NEITHER
        yield _row('Accuracy', key, a['stability'][key], b['stability'][key], better)
    share_a, share_b = ((r['agreement'] or {}).get('pixel_share') for r in (a, b))
    yield _row('Accuracy', 'agreement', share_a, share_b)
    for key, title in OF_CLASSES.items():
        for name in _union(a[key], b[key]):
            yield _row(f'{title} by class', name, a[key].get(name), b[key].get(name), HIGHER)


def _times(a: Report, b: Report) -> Iterator[Row]:
    for key in TIMES:
        yield _row('Latency, ms', key, a['latency_ms'][key], b['latency_ms'][key], LOWER)
    for stage in _union(a['stages_ms'], b['stages_ms']):
        for key in ('p50', 'p95'):
            time_a, time_b = (r['stages_ms'].get(stage, {}).get(key) for r in (a, b))
            yield _row('Latency, ms', f'{stage}, {key}', time_a, time_b, LOWER)


def _frames(a: Report, b: Report) -> Iterator[Row]:
    for key in ('frames_in', 'frames_out', 'labelled_frames'):
        yield _row('Frames', key, a[key], b[key])
    share_a, share_b = (
        r['frames_dropped'] / r['frames_in'] if r['frames_in'] else None for r in (a, b)
    )
    yield _row('Frames', 'share dropped', share_a, share_b, LOWER)
    for reason in _union(a['dropped'], b['dropped']):
        count_a, count_b = (r['dropped'].get(reason, 0) for r in (a, b))
        yield _row('Frames', f'dropped: {reason}', count_a, count_b, LOWER)


def _peak(a: Report, b: Report) -> Iterator[Row]:
    if a['peak'] or b['peak']:
        rate_a, rate_b = ((r['peak'] or {}).get('peak_hz') for r in (a, b))
        yield _row('Peak', 'images per second', rate_a, rate_b, HIGHER)


def _dictionaries(group: str, a: Report, b: Report) -> Iterator[Row]:
    for key in _union(a, b):
        # A rate of 1 and one of 2 differ, but neither is a measurement.
        yield Row(group, key, a.get(key), b.get(key))


def _union(a: Report, b: Report) -> list[str]:
    """Keys of both, in the order of the first."""
    return list(dict.fromkeys([*a, *b]))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
