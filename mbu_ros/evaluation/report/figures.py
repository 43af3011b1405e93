# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers on a report's page: short for people, and beside it the exact value and its place.

Every number that comes from report.json is a `data` element whose `value` is the number itself, and
whose `data-path` is its place there, a JSON list of keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from mbu_ros.evaluation.report.json_types import Report

UNDEFINED = '–'


def share(value: float) -> str:
    """Such as 0.820."""
    return f'{value:.3f}'


def percent(value: float) -> str:
    """Such as 12.3%, with two significant digits below 1%."""
    return f'{100 * value:.1f}%' if value >= 0.01 or not value else f'{100 * value:.2g}%'


def number(value: float) -> str:
    """With three significant digits, all digits of whole numbers, and commas."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f'{value:,.0f}'
    if abs(value) >= 100:
        return f'{value:.0f}'
    return f'{value:.1f}' if abs(value) >= 10 else f'{value:.2f}'


def exact(value: float) -> str:
    """With as many digits as tell it from its neighbours, at most six."""
    return f'{value:.6g}'


def cell(value: float) -> str:
    """A share in percent for a narrow cell, without the sign; nothing for none at all."""
    if not value:
        return ''
    if value < 0.0005:
        return '·'
    return f'{100 * value:.1f}' if value < 0.1 else f'{100 * value:.0f}'


def value_text(value: object) -> str:
    """Whatever a report may hold, as text; numbers with four digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        if abs(value) >= 1e4:
            return f'{value:,.0f}'
        return f'{value:.4g}' if abs(value) >= 1 else f'{value:.4f}'
    return UNDEFINED if value is None else json.dumps(value, ensure_ascii=False)


def difference_text(difference: float | None) -> str:
    """With its sign; '=' for none, and nothing where it is not a number."""
    if difference is None:
        return ''
    return f'{"+" if difference > 0 else ""}{value_text(difference)}' if difference else '='


STYLES: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        'share': share,
        'percent': percent,
        'number': number,
        'exact': exact,
        'cell': cell,
    }
)


def figure(
    report: Report, *path: str | int, style: str = 'number', text: str | None = None
) -> Markup:
    """The element of the value at a place of a report.

    Args:
        report: as of `report.build_report`.
        path: keys that lead to the value.
        style: one of `STYLES`.
        text: what to show instead of the value.
    """
    value: Any = report
    for key in path:
        value = value[key]
    if text is None:
        text = UNDEFINED if value is None else STYLES[style](value)
    return Markup('<data data-path="{}" value="{}">{}</data>').format(
        json.dumps(path),
        json.dumps(value),
        text,
    )

