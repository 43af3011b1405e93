# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of a benchmark's result, as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table


def print_result(result: dict, console: Console, boards: Iterable[str] = ()) -> None:
    """Show what `benchmark.run_benchmark` returned.

    Args:
        boards: keys of `orin.ORIN` whose estimates to show too.
    """
    device, network = result['device'], result['network']
    console.print(
        f'{device["name"]}, driver {device["driver"] or "unknown"}; U-Net of width '
        f'{network["width"]}, depth {network["depth"]}, {network["classes"]} classes, '
        f'planes: {network["plan_name"]}'
        + (f', with {network["instruction"]}' if network['instruction'] else ''),
        markup=False,
    )
    console.print(_summary(result['runs']))
    console.print(
        'Medians and 99th percentiles, in ms of a whole batch. device: without copies; wall: with '
        'copies from and to pinned memory, until the host has the labels. mJ of one frame, without '
        'copies. MB: of the engine its parameters, activations and frames, of the FP16 U-Nets the '
        'activations alone. Overhead: of a call, less copies and the time on the device.'
    )
    for note in result['notes']:
        console.print(f'Note: {note}', markup=False)
    shown = set()
    for run in result['runs']:
        if tuple(run['size']) not in shown:  # all of them are in the JSON
            shown.add(tuple(run['size']))
            console.print(_layers(run))
    _print_estimates(result['runs'], tuple(boards), console)


def title(run: dict) -> str:
    """Such as '512x512, batch 4': width, then height."""
    height, width = run['size']
    return f'{width}x{height}, batch {run["batch"]}'


def _summary(runs: list[dict]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column('', no_wrap=True)
    for name in ('device ms', 'p99', 'wall ms', 'p99', 'mJ', 'W', 'MB'):
        table.add_column(name, justify='right', no_wrap=True)
    for run in runs:
        table.add_section()
        table.add_row(f'[bold]{title(run)}[/bold]')
        engine = run['engine']
        table.add_row('MBU engine', *_row(engine, sum(engine['memory'].values())))
        for kind, baseline in run['baselines'].items():
            memory = baseline['memory']['activations']
            table.add_row(f'FP16 U-Net, {kind}', *_row(baseline, memory))
        ratios = run['ratios']
        if ratios:
            table.add_row(
                f'  {ratios["against"]} over MBU',
                _times(ratios['device_ms']),
                '',
                _times(ratios['wall_ms']),
                '',
                _times(ratios['energy']),
                '',
                _times(ratios['memory']),
            )
        table.add_row('  host overhead', f'{engine["host_overhead_us"]:.0f} us')
    return table


def _row(entry: dict, memory: int) -> list[str]:
    energy = entry['energy']
    times = [entry[key][at] for key in ('device_ms', 'wall_ms') for at in ('p50', 'p99')]
    return [
        *(_short(time, 3) for time in times),
        '-' if energy is None else _short(energy['joules_per_frame'] * 1e3, 1),
        '-' if energy is None else f'{energy["watts"]:.0f}',
        _short(memory / 1e6, 1),
    ]


def _short(value: float, digits: int) -> str:
    """With that many digits after the point, fewer if large, so that the table stays narrow."""
    if value >= 1000:
        return f'{value:.0f}'
    return f'{value:.{digits if value < 100 else 1}f}'


def _times(ratio: float | None) -> str:
    return '-' if ratio is None else f'{ratio:.2f}x'


def _layers(run: dict) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=f'Layers, {title(run)}: each kernel alone, in a row, and its floor',
        title_justify='left',
    )
    table.add_column('layer', no_wrap=True)
    for name in ('us', 'by', 'Gop', 'MB', 'floor', 'bound by', 'share'):
        table.add_column(name, justify='right', no_wrap=True)
    for layer in run['engine']['layers']:
        # Of the GPU's instructions the one with which the layer could be fastest.
        floor = min(layer['floors'].values(), key=lambda f: f['ms'], default=None)
        operations = layer['binary_operations'] + layer['int8_operations']
        table.add_row(
            layer['layer'],
            _short(layer['ms'] * 1e3, 1),
            layer['path'] if operations else '',
            _short(operations / 1e9, 1),
            _short(layer['bytes'] / 1e6, 1),
            *_floor_cells(floor),
        )
    total = run['engine']['total']
    device_ms = run['engine']['device_ms']['p50']
    lowest = min(total['floors_ms'].values(), default=None)
    table.add_section()
    for name, milliseconds in (('sum', total['ms']), ('in one graph', device_ms)):
        cells = _sum_cells(lowest, milliseconds)
        table.add_row(name, _short(milliseconds * 1e3, 1), '', '', '', *cells)
    return table


def _floor_cells(floor: dict | None) -> tuple[str, str, str]:
    if floor is None:
        return '-', '-', '-'
    return _short(floor['ms'] * 1e3, 1), floor['bound'], f'{floor["share"]:.0%}'


def _sum_cells(floor_ms: float | None, milliseconds: float) -> tuple[str, str, str]:
    if floor_ms is None:
        return '-', '', '-'
    return _short(floor_ms * 1e3, 1), '', f'{floor_ms / milliseconds:.0%}'


def _print_estimates(runs: list[dict], boards: tuple[str, ...], console: Console) -> None:
    methods = set()
    for run in runs:
        for board in boards:
            if board in run['estimates']:
                estimate = run['estimates'][board]
                methods.add(estimate['method'])
                console.print(
                    f'[bold]ESTIMATE[/bold] for {estimate["board"]}, {title(run)}: '
                    f'{estimate["device_ms"]:.2f} ms on the device'
                )
    for method in methods:
        console.print(method, markup=False)
