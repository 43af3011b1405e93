# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The result of `find_peak` in the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from mbu_ros.evaluation.peak.measure import rate_text

LATENCIES = ('min', 'p50', 'p95', 'p99', 'max', 'jitter')
USAGE = {
    'CPU %': ('cpu_percent', 1, 0),
    'MB': ('memory_mb', 1, 0),
    'GPU %': ('gpu_percent', 1, 0),
    'GPU MB': ('gpu_memory_mb', 1, 0),
    'W': ('watts', 1, 1),
    'mJ/frame': ('joules_per_frame', 1e3, 1),
}
"""By title: key of a run, factor and decimals. Columns that nothing is known of are left out."""


def print_peak(peak: Mapping[str, Any], console: Console) -> None:
    """Show what `peak.find_peak` returned."""
    for line in (_summary(peak), peak['engine']):
        console.print(line, markup=False, highlight=False)
    if peak['runs']:
        console.print(_latencies(peak['runs']))
        console.print(
            'Milliseconds from before an image is published until its mask is back.', markup=False
        )
        usage = _usage(peak['runs'])
        if len(usage.columns) > 1:
            console.print(usage)
            console.print('The node: 100 % of CPU are one core.', markup=False, highlight=False)
    for note in peak['notes']:
        console.print(note, markup=False, highlight=False)


def _summary(peak: Mapping[str, Any]) -> str:
    cameras = peak['cameras']
    of_each = f' from each of {len(cameras)} cameras' if len(cameras) > 1 else ''
    drop = f'at most {100 * peak["max_drop"]:g} % of the frames dropped'
    if peak['peak_hz'] is None:
        return f'Peak: no rate was found with {drop}'
    limited = ''
    if peak['limited_by_player']:
        limited = ' (images could not be sent faster: the node may do more)'
    return f'Peak: {rate_text(peak["peak_hz"])}{of_each} with {drop}{limited}'


def _latencies(runs: list[Mapping[str, Any]]) -> Table:
    table = _table('', 'sent', 'dropped', *LATENCIES)
    for run in runs:
        times = (run['latency_ms'][name] for name in LATENCIES)
        table.add_row(
            _title(run),
            str(run['sent']),
            f'{100 * run["drop_share"]:.1f} %',
            # Of a slow node, nobody needs the tenths.
            *(_text(time, 1, 1 if time and time < 100 else 0) for time in times),
        )
    return table


def _usage(runs: list[Mapping[str, Any]]) -> Table:
    known = {
        title: column
        for title, column in USAGE.items()
        if any(run[column[0]] is not None for run in runs)
    }
    table = _table('', *known)
    for run in runs:
        values = (_text(run[key], factor, decimals) for key, factor, decimals in known.values())
        table.add_row(_title(run), *values)
    return table


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(title, justify='right', no_wrap=True)
    return table


def _title(run: Mapping[str, Any]) -> str:
    rate = rate_text(run['rate_hz'])
    if run['is_peak']:
        return f'peak {rate}'
    # What was really sent, where that is less than was asked for.
    return rate if rate == rate_text(run['asked_hz']) else f'{rate} of {run["asked_hz"]:g}'


def _text(value: float | None, factor: float, decimals: int) -> str:
    return '' if value is None else f'{value * factor:.{decimals}f}'
