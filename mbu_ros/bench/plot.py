# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The picture of a benchmark's result. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mbu_ros.bench.report import title
from mbu_ros.replacing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {'MBU engine': '#2a78b8', 'graph': '#b0b0b0', 'compile': '#787878'}
FLOOR_COLORS = ('#202020', '#e08a2c')


def plot(path: Path, result: dict) -> bool:
    """Write bars of time and energy per frame, and of each layer's time and floor, as a PNG.

    Returns:
        False where matplotlib is not installed, and nothing was written.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # needs no display
    except ImportError:
        return False
    runs = result['runs']
    detailed = [run for run in runs if run['engine']['layers'] and result['rates']]
    detailed = list({tuple(run['size']): run for run in reversed(detailed)}.values())[::-1]
    figure = Figure(figsize=(11, 4 + 3.2 * len(detailed)), layout='constrained')
    axes = figure.subplot_mosaic(
        [['time', 'energy'], *([f'layers{i}'] * 2 for i in range(len(detailed)))]
    )
    _bars(axes['time'], runs, 'ms per frame, on the device', _milliseconds)
    _bars(axes['energy'], runs, 'mJ per frame', _millijoules)
    axes['time'].legend()
    for index, run in enumerate(detailed):
        _layers(axes[f'layers{index}'], run, result['rates'])
    device = result['device']['name']
    figure.suptitle(f'mbu bench on {device}, width {result["network"]["width"]}')
    with replacing(path) as temporary:
        figure.savefig(temporary, format='png', dpi=120)
    return True


def _number(value: float) -> str:
    if value >= 100:
        return f'{value:.0f}'
    return f'{value:.3g}' if value else ''


def _milliseconds(entry: dict, batch: int) -> float:
    return entry['device_ms']['p50'] / batch


def _millijoules(entry: dict, batch: int) -> float:
    return entry['energy']['joules_per_frame'] * 1e3 if entry['energy'] else 0.0


def _bars(
    axis: Axes, runs: list[dict], label: str, value: Callable[[dict, int], float]
) -> None:
    """Groups of bars, one group a run, on a logarithmic axis with the numbers written on them."""
    kinds = list(dict.fromkeys(kind for run in runs for kind in run['baselines']))
    names = ['MBU engine', *kinds]
    width = 0.8 / len(names)
    for offset, name in enumerate(names):
        heights = []
        for run in runs:
            entry = run['engine'] if name == 'MBU engine' else run['baselines'].get(name)
            heights.append(value(entry, run['batch']) if entry else 0.0)
        places = [index + (offset - (len(names) - 1) / 2) * width for index in range(len(runs))]
        text = name if name == 'MBU engine' else f'FP16 U-Net, {name}'
        bars = axis.bar(places, heights, width, label=text, color=COLORS[name])
        axis.bar_label(bars, [_number(height) for height in heights], fontsize=7)
    if any(bar.get_height() > 0 for bar in axis.patches):
        axis.set_yscale('log')
        axis.margins(y=0.15)
    axis.set_xticks(range(len(runs)), [title(run).replace(', ', '\n') for run in runs])
    axis.set_title(label)


def _layers(axis: Axes, run: dict, rates: dict) -> None:
    """Bars of time, marks at the floors, and on each bar the share of the lowest floor."""
    layers = run['engine']['layers']
    places = range(len(layers))
    bars = axis.bar(
        places, [row['ms'] * 1e3 for row in layers], color=COLORS['MBU engine'], label='time'
    )
    for path, color in zip(rates, FLOOR_COLORS):
        floors = [row['floors'][path]['ms'] * 1e3 for row in layers]
        axis.plot(places, floors, '_', color=color, ms=14, mew=2.5, label=f'floor with {path}')
    shares = [min(floor['share'] for floor in row['floors'].values()) for row in layers]
    axis.bar_label(bars, [f'{share:.0%}' for share in shares], fontsize=7)
    axis.set_xticks(places, [row['layer'] for row in layers], rotation=60, ha='right', fontsize=8)
    axis.set_ylabel('µs')
    axis.margins(x=0.01, y=0.12)
    axis.set_title(f'Layers, {title(run)}: each kernel alone')
    axis.legend(fontsize=8, ncols=1 + len(rates))
