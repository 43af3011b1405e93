# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a masking study: the curve, sensitivity and gains, and zeros by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mbu_ros.replacing import replacing
from mbu_ros.training.pictures import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_pictures(folder: Path, result: dict) -> list[Path]:
    """Write mask_curve.png, mask_sensitivity.png and mask_sparsity.png; returns their paths.

    Args:
        result: as `mask_study` describes it, whole.

    Returns:
        Nothing where matplotlib is not installed, and nothing was written.

    Raises:
        InputError: a file cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # needs no display
    except ImportError:
        return []
    drawn = {'curve': _draw_curve, 'sensitivity': _draw_sensitivity, 'sparsity': _draw_zeros}
    paths = []
    for name, draw in drawn.items():
        figure = Figure(layout='constrained')
        draw(figure, result)
        figure.suptitle(f'{result["data"]}, width {result["width"]}')
        paths.append(folder / f'mask_{name}.png')
        with replacing(paths[-1]) as temporary:
            figure.savefig(temporary, format='png', dpi=110)
    return paths


def _draw_curve(figure: Figure, result: dict) -> None:
    """mIoU over operations and, where measured, over time; beside it the run's own networks."""
    timed = all(row['ms'] is not None for row in result['curve'])
    figure.set_size_inches(12 if timed else 7, 5)
    axes = figure.subplots(1, 1 + timed, sharey=True, squeeze=False)[0]
    _curve(axes[0], result, 'relative', 'operations over those of the all-binary network')
    axes[0].set_ylabel(f'{result["split"]} mIoU')
    for name, network in result['run'].items():
        if network['miou'] is None:
            continue
        color = COLORS.get(name)
        if network['precision'] == 'float':
            axes[0].axhline(network['miou'], ls='--', lw=1, color=color, label=f'{name} (run)')
        else:
            cost = network['operations'] / result['binary_operations']
            axes[0].plot(cost, network['miou'], 's', ms=6, color=color, label=f'{name} (run)')
    if timed:
        _curve(axes[1], result, 'ms', 'ms of one frame on the GPU')
    axes[0].legend(fontsize=8)


def _curve(axis: Axes, result: dict, key: str, label: str) -> None:
    rows = [row for row in result['curve'] if row['miou'] is not None]
    rows.sort(key=lambda row: row[key])
    costs, accuracies = ([row[name] for row in rows] for name in (key, 'miou'))
    axis.plot(costs, accuracies, 'o-', color='#202020', label='fine-tuned for equal time')
    for row in rows:
        text = f'{row["share"]:.0%}' + ' chosen' * row['chosen']
        axis.annotate(
            text, (row[key], row['miou']), (4, -11), textcoords='offset points', fontsize=8
        )
    axis.set_xlabel(label)
    axis.margins(x=0.12)
    axis.grid(color='#e0e0e0')


def _draw_sensitivity(figure: Figure, result: dict) -> None:
    """What quantising each layer alone costs, and below what its second plane gains."""
    figure.set_size_inches(11, 7.5)
    upper, lower = figure.subplots(2, 1, sharex=True)
    layers = result['layers']
    _bars(upper, layers, {'rise_binary': 'one plane', 'rise_masked': 'two planes'})
    for name in ('masked', 'binary'):
        mean = result['uniformity'][name]['mean']
        upper.axhline(mean, color=COLORS[name], lw=1, ls='--')
    upper.set_title('rise of the float loss, one layer alone quantised; dashed: means', fontsize=10)
    _bars(
        lower,
        layers,
        {
            'gain_added': f'given to the {result["added_to"]} network with one plane',
            'gain_removed': 'taken from the masked network',
        },
    )
    lower.set_title('gain in loss of a second plane, one layer alone', fontsize=10)
    _name_layers(lower, layers)


def _draw_zeros(figure: Figure, result: dict) -> None:
    figure.set_size_inches(11, 4.5)
    axis = figure.subplots()
    layers = result['layers']
    labels = {'zeros_untrained': 'float network, same threshold', 'zeros': 'masked network'}
    _bars(axis, layers, labels)
    axis.axhline(result['zeros'], color=COLORS['masked'], lw=1, ls='--')
    axis.set_ylim(0, 1)
    axis.set_title('share of weights that are 0; dashed: of all hidden layers', fontsize=10)
    _name_layers(axis, layers)


def _bars(axis: Axes, layers: list[dict], labels: dict[str, str]) -> None:
    """Bars side by side per layer, one for each of the two keys of `labels`."""
    colors = COLORS['binary'], COLORS['masked']
    width = 0.8 / len(labels)
    for index, (key, label) in enumerate(labels.items()):
        offset = (index - (len(labels) - 1) / 2) * width
        places = [place + offset for place in range(len(layers))]
        heights = [row[key] for row in layers]
        axis.bar(places, heights, width, color=colors[index], label=label)
    axis.axhline(0, color='#808080', lw=0.6)
    axis.legend(fontsize=8)


def _name_layers(axis: Axes, layers: list[dict]) -> None:
    names = [row['layer'] for row in layers]
    axis.set_xticks(range(len(names)), names, rotation=60, ha='right', fontsize=8)
    axis.margins(x=0.01)
