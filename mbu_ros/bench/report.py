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
        f'planes: {network["plan_name"]}',
        markup=False,
    )
    console.print(_summary(result['runs']))
    console.print(
        'Medians and 99th percentiles. With copies: from and to pinned host memory. MB: all device '
        'memory of the engine, but of the FP16 U-Nets the activations alone.'
    )
    for note in result['notes']:
        console.print(f'Note: {note}', markup=False)
    shown = set()
    for run in result['runs']:
        if tuple(run['size']) not in shown:  # all of them are in the JSON
            shown.add(tuple(run['size']))
            console.print(_layers(run, result['rates']))
    _print_estimates(result['runs'], tuple(boards), console)


def title(run: dict) -> str:
    """Such as '512x512, batch 4': width, then height."""
    height, width = run['size']
    return f'{width}x{height}, batch {run["batch"]}'


def _summary(runs: list[dict]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column('', no_wrap=True)
    for name in ('device ms', 'p99', 'with copies', 'p99', 'mJ a frame', 'W', 'MB'):
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
        table.add_row('  host overhead of a call', f'{engine["host_overhead_us"]:.0f} us')
    return table


def _row(entry: dict, memory: int) -> list[str]:
    energy = entry['energy']
    return [
        f'{entry["device_ms"]["p50"]:.3f}',
        f'{entry["device_ms"]["p99"]:.3f}',
        f'{entry["wall_ms"]["p50"]:.3f}',
        f'{entry["wall_ms"]["p99"]:.3f}',
        '-' if energy is None else f'{energy["joules_per_frame"] * 1e3:.1f}',
        '-' if energy is None else f'{energy["watts"]:.0f}',
        f'{memory / 1e6:.1f}',
    ]


def _times(ratio: float | None) -> str:
    return '-' if ratio is None else f'{ratio:.2f}x'


def _layers(run: dict, rates: dict) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=f'Layers, {title(run)}: each kernel alone, and the share of its floor',
        title_justify='left',
    )
    table.add_column('layer', no_wrap=True)
    for name in ('us', 'Gop', 'MB', 'floor us', 'bound by', *(f'{path}' for path in rates)):
        table.add_column(name, justify='right', no_wrap=True)
    layers = run['engine']['layers']
    for layer in layers:
        floors = layer['floors']
        first = next(iter(floors.values()), None)
        table.add_row(
            layer['layer'],
            f'{layer["ms"] * 1e3:.1f}',
            f'{(layer["binary_operations"] + layer["int8_operations"]) / 1e9:.2f}',
            f'{layer["bytes"] / 1e6:.2f}',
            '-' if first is None else f'{first["ms"] * 1e3:.1f}',
            '-' if first is None else first['bound'],
            *(f'{floors[path]["share"]:.0%}' for path in rates),
        )
    table.add_section()
    total = run['engine']['total']
    table.add_row(
        'sum',
        f'{total["ms"] * 1e3:.1f}',
        *('' for _ in range(4)),
        *(f'{total["shares"][path]:.0%}' for path in rates),
    )
    return table


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
