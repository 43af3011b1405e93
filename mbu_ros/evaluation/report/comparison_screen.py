# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two reports side by side on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mbu_ros.evaluation.report.compare import Row, compare, title, warnings
from mbu_ros.evaluation.report.figures import difference_text, value_text
from mbu_ros.evaluation.report.json_types import Report
from mbu_ros.printable import printable

LEFT_OUT = ('Precision by class', 'Recall by class', 'F1 by class')
"""Groups that only the page of the comparison has."""


def print_comparison(a: Report, b: Report, console: Console | None = None) -> None:
    """Show two reports as a table: all figures, and those facts that differ.

    Args:
        a, b: as of `stored_report.read_report`.
        console: default standard output.
    """
    console = console or Console()
    for name, report in (('A', a), ('B', b)):
        console.print(Text(printable(f'{name}: {title(report)}')))
    table = Table('', 'A', 'B', 'B - A')
    for column in table.columns[1:]:
        column.justify = 'right'
    group = None
    for row in compare(a, b):
        if row.group in LEFT_OUT or row.a is row.b is None or _is_same_fact(row):
            continue
        if row.group != group:
            table.add_section()
            table.add_row(Text(row.group, 'bold'))
            group = row.group
        table.add_row(*_cells(row))
    console.print(table)
    for warning in warnings(a, b):
        console.print(Text(f'Note: {warning}', 'yellow'))


def _is_same_fact(row: Row) -> bool:
    return row.difference is None and not row.differs


def _cells(row: Row) -> tuple[Text, ...]:
    style = '' if row.better is None else 'green' if row.better else 'red'
    return (
        Text(printable(f'  {row.name}')),
        Text(printable(value_text(row.a))),
        Text(printable(value_text(row.b))),
        Text(difference_text(row.difference), style),
    )
