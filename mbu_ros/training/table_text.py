# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table of a training run as people read it: Markdown and the screen; and its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mbu_ros.evaluation.report.report import write_json
from mbu_ros.replacing import replacing
from mbu_ros.training.table import Heading, Row, Table, as_dict

COLUMNS = (
    *('network', 'mIoU', 'gap', 'pixel acc.', 'MB'),
    *('Gop', 'x binary', 'agree %', 'train min', 'train img/s'),
)
NONE = '-'
"""Stands for a figure that is undefined, or that this kind of network does not have."""


def write_table(folder: Path, table: Table) -> tuple[Path, Path]:
    """Write table.md and table.json into a folder and return their paths.

    Raises:
        InputError: a file cannot be written.
    """
    markdown, plain = folder / 'table.md', folder / 'table.json'
    with replacing(markdown) as temporary:
        temporary.write_text(as_markdown(table), encoding='utf-8')
    write_json(plain, as_dict(table))
    return markdown, plain


def as_markdown(table: Table) -> str:
    """The text of table.md."""
    notes = (_escaped(note) for note in _notes(table))
    parts = [
        f'# {_escaped(table.heading.data)}, {table.split} split',
        _escaped(_setting(table.heading)),
        _markdown_rows(COLUMNS, map(_cells, table.rows)),
        '\n'.join(f'- {note}' for note in notes),
        '## IoU per class',
        _markdown_rows(_class_columns(table), _class_cells(table)),
    ]
    return '\n\n'.join(parts) + '\n'


def print_table(table: Table, console: Console) -> None:
    """Show both tables; 80 columns are enough."""
    title = f'{table.heading.data}, {table.split} split: {_setting(table.heading)}'
    console.print(title, markup=False, highlight=False)
    # In two lines, or 80 columns are not enough.
    titles = [column.replace(' ', '\n') for column in COLUMNS]
    console.print(_rich_rows(titles, map(_cells, table.rows)))
    console.print()
    for note in _notes(table):
        console.print(note, markup=False, highlight=False)
    console.print()
    console.print(_rich_rows(_class_columns(table), _class_cells(table), title='IoU per class'))


def _setting(heading: Heading) -> str:
    height, width = heading.size
    return (
        f'U-Nets of width {heading.width} and depth {heading.depth} at {width}x{height}; '
        f'recipe {heading.recipe}, {heading.minutes:g} minutes, seed {heading.seed}.'
    )


def _notes(table: Table) -> list[str]:
    """What a reader must know to read the columns."""
    notes = [
        'MB: of the model file; of FP16 parameters for a float network.',
        'Gop: 10^9 operations of one frame, two per multiply-add, binary where quantised and FP16 '
        'where float. x binary: over one plane in every hidden layer.',
        'train min: minutes of its own training, on top of those of the network it started from. '
        'train img/s: frames per second of it.',
    ]
    if table.better_float is not None:
        notes.insert(
            0, f'gap: points of mIoU lost against {table.better_float}, the better float network.'
        )
    if table.heading.other_teachers:
        notes.append(
            f'Other teachers: {table.heading.other_teachers}. Float networks of other runs have '
            'rows here where they were evaluated on the same frames.'
        )
    if any(row.agreement is not None for row in table.rows):
        notes.append(
            'agree %: of pixels, trained against integer network. The figures of a quantised '
            'network are those of its integer network.'
        )
    notes += [
        f'{row.network} is what it was after {row.selected_step} of {row.steps} steps, when its '
        'mIoU on val was best, so a figure on val flatters it a little.'
        for row in table.rows
        if row.selected_step is not None
    ]
    for row in table.rows:
        if row.plan and len(set(row.plan.values())) > 1:
            masked = [layer for layer, planes in row.plan.items() if planes == 2]
            notes.append(
                f'{row.network} has two planes in {len(masked)} of {len(row.plan)} hidden layers: '
                f'{", ".join(masked)}.'
            )
    return notes


def _cells(row: Row) -> list[str]:
    """One line of the first table, as `COLUMNS` names it."""
    return [
        row.network,
        _share(row.miou),
        # Adding 0 makes 0.00 of the -0.00 that a tiny gain would be.
        NONE if row.gap is None else f'{round(row.gap, 2) + 0.0:.2f}',
        _share(row.pixel_accuracy),
        _short(row.bytes / 1e6),
        _short(row.operations / 1e9),
        NONE if row.relative_operations is None else f'{row.relative_operations:.2f}',
        NONE if row.agreement is None else f'{100 * row.agreement:.3f}',
        _short(row.minutes),
        _short(row.images_per_second),
    ]


def _class_columns(table: Table) -> list[str]:
    return ['class', *(row.network for row in table.rows)]


def _class_cells(table: Table) -> list[list[str]]:
    """Lines of the second table: one a class, then the mean."""
    classes = [
        [name, *(_share(row.iou[name]) for row in table.rows)] for name in table.heading.classes
    ]
    return [*classes, ['mean', *(_share(row.miou) for row in table.rows)]]


def _share(value: float | None) -> str:
    return NONE if value is None else f'{value:.4f}'


def _short(value: float | None) -> str:
    """Three significant digits, more where it is large."""
    if value is None:
        return NONE
    return f'{value:.0f}' if value >= 100 else f'{value:.3g}'


def _escaped(text: str) -> str:
    """With a backslash before what has a meaning in Markdown within a line."""
    for character in '\\`*|[]<':
        text = text.replace(character, f'\\{character}')
    return text


def _markdown_rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ['---', *['---:'] * (len(columns) - 1)]]
    lines += [[_escaped(row[0]), *row[1:]] for row in rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _rich_rows(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None
) -> RichTable:
    table = RichTable(
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        pad_edge=False,
        show_edge=False,
        title=title,
        title_justify='left',
    )
    for index, name in enumerate(columns):
        justify = 'right' if index else 'left'
        table.add_column(Text(name), justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))  # not markup: names may hold brackets
    return table
