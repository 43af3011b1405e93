# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a masking study found, as people read it: mask.md, with its pictures beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mbu_ros.replacing import replacing
from mbu_ros.training.mask_pictures import write_pictures

NONE = '-'
"""Stands for a figure that is undefined or was not measured."""


def as_markdown(result: dict) -> str:
    """The text of mask.md: what `mask_study.MaskStudy.measure` found."""
    return '\n\n'.join(
        [summary(result), '## Layers', _table(_LAYERS, result['layers']), _legend(result)]
    ) + '\n'


def summary(result: dict) -> str:
    """All of mask.md but its table of layers, which is too wide for most screens."""
    height, width = result['size']
    settings = result['settings']
    return '\n\n'.join([
        f'# Masking study: {result["data"]}, {result["split"]} split',
        f'U-Net of width {result["width"]} and depth {result["depth"]} at {width}x{height}. Losses '
        'are cross entropy plus distillation from the float network, means over '
        f'{result["frames"]} frames of the train split; after each change of planes, '
        f'{settings["adapt_steps"]} training steps, and batch norm taken anew.',
        '## Accuracy against cost',
        _table(_CURVE, result['curve']),
        f'Each plan fine-tuned from the masked network, {settings["minutes"]:g} minutes for all '
        f'together, seed {settings["seed"]}. Gop: binary operations of one frame, two per '
        'multiply-add and plane, in thousands of millions. mIoU and pixel accuracy are of the '
        'trained network.',
        _choice(result),
        _table(_RUN, result['run'].items()),
        'The networks of the run itself, each after its own training, on the same split.',
        '## Zeros',
        _zeros(result),
        '## Sensitivity to quantisation',
        _sensitivity(result),
    ])


def write_report(folder: Path, result: dict) -> list[Path]:
    """Write mask.md and, where matplotlib is installed, the three pictures; returns their paths.

    Raises:
        InputError: a file cannot be written.
    """
    path = folder / 'mask.md'
    with replacing(path) as temporary:
        temporary.write_text(as_markdown(result), encoding='utf-8')
    return [path, *write_pictures(folder, result)]


def _choice(result: dict) -> str:
    (chosen,) = (row for row in result['curve'] if row['chosen'])
    masked = [name for name, planes in chosen['plan'].items() if planes == 2]
    most = max(result['curve'], key=lambda row: row['operations'])
    text = (
        f'The chosen plan may have {result["budget"]["times"]:g} times the all-binary operations '
        f'and has {chosen["relative"]:.3f} times. Two planes in {len(masked)} of '
        f'{len(chosen["plan"])} hidden layers: {", ".join(masked) or "none"}.'
    )
    if chosen['miou'] is not None and most['miou'] is not None:
        lost = 100 * (most['miou'] - chosen['miou'])
        text += (
            f' Against all masked it loses {lost + 0.0:.2f} points of mIoU.'
            if lost >= 0
            else f' It has {-lost:.2f} points of mIoU more than all masked.'
        )
    return text


def _zeros(result: dict) -> str:
    layers = result['layers']
    least, most = (pick(layers, key=lambda row: row['zeros']) for pick in (min, max))
    text = (
        f'Of the weights of the masked network, {result["zeros"]:.1%} are 0; by layer from '
        f'{least["zeros"]:.1%} ({least["layer"]}) to {most["zeros"]:.1%} ({most["layer"]}).'
    )
    text += (
        f" The same threshold makes {result['zeros_untrained']:.1%} of the float network's weights "
        '0, before any training with it.'
    )
    networks, curve = result['run'], result['curve']
    if {'masked', 'binary'} <= set(networks):
        pair = [networks[name]['miou'] for name in ('binary', 'masked')]
        text += _difference('Trained from the float network for equal time', *pair)
    ends = [row['miou'] for row in (curve[0], curve[-1])]
    return text + _difference('Fine-tuned from the masked network for equal time', *ends)


def _difference(how: str, without: float | None, masked: float | None) -> str:
    if without is None or masked is None:
        return ''
    return (
        f' {how}, zeros in all hidden layers change mIoU by {100 * (masked - without):+.2f} '
        f'points: {without:.4f} without, {masked:.4f} with them.'
    )


def _sensitivity(result: dict) -> str:
    names = {'masked': 'with two planes', 'binary': 'with one plane'}
    rows = [(names[key], figures) for key, figures in result['uniformity'].items()]
    return '\n\n'.join([
        "Rise of the float network's loss when one hidden layer alone sees signs and has "
        'quantised weights, with batch norm taken anew and no training; its own loss is '
        f'{result["float_loss"]:.4f}. Variation: standard deviation over mean, 0 were all layers '
        'alike.',
        _table(_UNIFORMITY, rows),
        f'Rank correlation of the two: {_signed(result["rank_correlation"]["rises"], 2)}.',
    ])


def _legend(result: dict) -> str:
    unit = result['cost']['unit']
    costs = (
        'us: time of the layer alone on the GPU with one plane and with two; cost: of the second '
        'plane, in us'
        if unit == 'milliseconds'
        else 'cost: of the second plane, in millions of operations'
    )
    return (
        f"{costs} ({result['cost']['reason']}). lost: rise of the masked network's loss when the "
        f'layer has one plane; won: fall of the loss of the {result["added_to"]} network with one '
        'plane everywhere when the layer has two (rank correlation of both: '
        f'{_signed(result["rank_correlation"]["gains"], 2)}). rank: place in the greedy order, by '
        "lost per cost. planes: of the chosen plan. zeros: of the masked network's weights; "
        "before: what the same threshold makes of the float network's. "
        "alone: rise of the float network's loss with this layer alone quantised, with two planes "
        'and with one.'
    )


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f'{value:.{digits}f}'


def _signed(value: float | None, digits: int = 4) -> str:
    return NONE if value is None or value != value else f'{value:+.{digits}f}'


def _microseconds(value: float | None) -> str:
    return _number(None if value is None else 1e3 * value, 2)


def _cost(row: dict) -> str:
    measured = row['one_plane_ms'] is not None
    return _microseconds(row['cost']) if measured else f'{row["cost"] / 1e6:.1f}'


Column = tuple[str, Callable[..., str]]

_CURVE: tuple[Column, ...] = (
    ('share of extra cost', lambda row: f'{row["share"]:.1%}' + ' (chosen)' * row['chosen']),
    ('masked layers', lambda row: str(sum(planes == 2 for planes in row['plan'].values()))),
    ('Gop', lambda row: f'{row["operations"] / 1e9:.3f}'),
    ('x binary', lambda row: f'{row["relative"]:.3f}'),
    ('GPU ms', lambda row: _number(row['ms'], 4)),
    ('mIoU', lambda row: _number(row['miou'], 4)),
    ('pixel acc.', lambda row: _number(row['pixel_accuracy'], 4)),
)
_RUN: tuple[Column, ...] = (
    ('network', lambda item: item[0]),
    ('Gop', lambda item: f'{item[1]["operations"] / 1e9:.3f}'),
    ('minutes', lambda item: f'{item[1]["seconds"] / 60:.1f}'),
    ('mIoU', lambda item: _number(item[1]['miou'], 4)),
)
_UNIFORMITY: tuple[Column, ...] = (
    ('one layer quantised', lambda item: item[0]),
    *(
        (key, lambda item, key=key: _signed(item[1][key]))
        for key in ('mean', 'least', 'median', 'most')
    ),
    ('variation', lambda item: _number(item[1]['variation'], 2)),
)
_LAYERS: tuple[Column, ...] = (
    ('layer', lambda row: row['layer']),
    ('us, 1', lambda row: _microseconds(row['one_plane_ms'])),
    ('us, 2', lambda row: _microseconds(row['two_planes_ms'])),
    ('cost', _cost),
    ('lost', lambda row: _signed(row['gain_removed'])),
    ('won', lambda row: _signed(row['gain_added'])),
    ('rank', lambda row: str(row['rank'])),
    ('planes', lambda row: str(row['planes'])),
    ('zeros', lambda row: f'{row["zeros"]:.1%}'),
    ('before', lambda row: f'{row["zeros_untrained"]:.1%}'),
    ('alone, 2', lambda row: _signed(row['rise_masked'])),
    ('alone, 1', lambda row: _signed(row['rise_binary'])),
)


def _table(columns: Sequence[Column], rows: Iterable[object]) -> str:
    lines = [[name for name, _ in columns], ['---', *['---:'] * (len(columns) - 1)]]
    lines += [[cell(row) for _, cell in columns] for row in rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
