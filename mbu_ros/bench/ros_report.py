# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of `mbu bench --ros`."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

ROWS = {
    'received': 'camera to node',
    'wait': '  wait for the engine',
    'decode': '  decode',
    'engine': '  engine',
    'resize': '    resize',
    'network': '    network',
    'mask': '    mask',
    'publish': '  publish the mask',
    'total': 'received to published',
    'beyond engine': '  without the engine',
    'back': 'node to camera',
    'end to end': 'end to end',
}
"""What to show, in order: key of the result and title."""
PERCENTILES = ('p50', 'p95', 'p99')


def print_ros_result(result: dict, console: Console) -> None:
    """Show what `ros_benchmark.run_ros_benchmark` returned."""
    machine = result['machine']
    settings = ', '.join(f'{name}={value}' for name, value in machine['middleware'].items())
    console.print(
        f'{machine["processor"]}, {machine["cores"]} cores; middleware: '
        f'{settings or "as it comes"}',
        markup=False,
    )
    for run in result['runs']:
        height, width = run['size']
        console.print(f'\n{width}x{height} rgb8, {run.get("engine", "")}', markup=False)
        console.print(_latencies(run))
        for name in ('node', 'echo'):
            if name in run:
                console.print(f'{name:>5}: {_rate(run[name])}', markup=False)
    console.print(
        '\nMilliseconds of frames sent one by one. Camera to node: publishing, DDS, and making a '
        'message of it; node to camera: DDS. echo: a node that only copies, with messages of the '
        'same sizes. Rates: the highest at which no frame was dropped.'
    )


def _latencies(run: dict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column('ms', no_wrap=True)
    names = [name for name in ('node', 'echo') if name in run]
    for name in names:
        for percentile in PERCENTILES:
            table.add_column(f'{name}\n{percentile}', justify='right', no_wrap=True)
    for key, title in ROWS.items():
        found = [run[name]['latency_ms'].get(key, {}) for name in names]
        if any(found):
            values = [times.get(percentile) for times in found for percentile in PERCENTILES]
            table.add_row(title, *map(_text, values))
    return table


def _rate(measured: dict) -> str:
    rate = measured['rate']
    if rate['hz'] is None:
        return 'frames were dropped at every rate tried'
    text = f'{rate["hz"]:.1f} Hz without drops'
    if rate['limited_by_camera']:
        text += ' (the camera could not send faster)'
    text += f', p95 then {rate["latency_ms"]["p95"]:.1f} ms'
    if rate['cpu_ms'] is not None:
        text += f', CPU {rate["cpu_percent"]:.0f} % of a core, {rate["cpu_ms"]:.1f} ms a frame'
    return text


def _text(milliseconds: float | None) -> str:
    return '' if milliseconds is None else f'{milliseconds:.2f}'
