# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The charts of a report's page, as SVG that takes its colours from the page's style sheet.

No text of the input is drawn in them: matplotlib would read a dollar sign as mathematics.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from mbu_ros.evaluation.report.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that nothing else has, each replaced by a property of the style sheet.
INK, MUTED, GRID = '#010101', '#010102', '#010103'
BLUE, ORANGE, GREEN = '#010104', '#010105', '#010106'
PROPERTIES = {
    INK: '--ink',
    MUTED: '--muted',
    GRID: '--grid',
    BLUE: '--blue',
    ORANGE: '--orange',
    GREEN: '--green',
}
SETTINGS = {
    'svg.fonttype': 'none',  # text remains text, in the page's own font
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.edgecolor': GRID,
    'axes.labelcolor': MUTED,
    'axes.grid': True,
    'axes.grid.axis': 'y',
    'axes.axisbelow': True,
    'grid.color': GRID,
    'grid.linewidth': 0.8,
    'text.color': INK,
    'xtick.color': MUTED,
    'ytick.color': MUTED,
    'xtick.major.size': 3,
    'ytick.major.size': 0,
    'legend.frameon': False,
}
FULL, NARROW, WIDE = (11.4, 2.3), (4.3, 2.4), (6.9, 2.4)
"""Inches of a chart that takes the whole width, and of two that share it."""
MARKS = (('p50', '-', INK), ('p95', '--', ORANGE), ('p99', ':', MUTED))
BARS, FEW = 40, 60
"""Most bars of a histogram; most points of a line that are marked one by one."""


def latency_histogram(latency_ms: Sequence[float], summary: Mapping[str, Any]) -> Markup:
    """How often which latency occurred, with its percentiles.

    Args:
        latency_ms: of each frame, milliseconds; at least one.
        summary: what `latency.latency_summary` returned of them.
    """
    values = np.asarray(latency_ms)
    # A single outlier would squeeze all others into one bar; what lies beyond is in the last one.
    limit = max(summary['p99'] * 1.25, summary['p50'] * 1.5)
    bars = min(BARS, max(8, values.size // 4))

    def paint(axes: Axes) -> None:
        shown = np.minimum(values, limit)
        axes.hist(shown, bins=bars, histtype='stepfilled', color=BLUE, alpha=0.8)
        axes.locator_params(axis='y', integer=True)
        for name, line, color in MARKS:
            axes.axvline(summary[name], linestyle=line, color=color, linewidth=1.4, label=name)
        axes.set_xlabel('ms' if values.max() <= limit else f'ms; last bar: {limit:.3g} and more')
        axes.set_ylabel('frames')
        _legend(axes)

    return _draw('histogram', NARROW, paint)


def latency_timeline(timeline: Timeline) -> Markup:
    """Latency over the run, and the greatest of frames that share a point."""

    def paint(axes: Axes) -> None:
        _line(axes, timeline, BLUE, 'mean')
        if timeline.is_reduced:  # a single late frame must not vanish in a mean
            axes.plot(timeline.x, timeline.high, color=ORANGE, linewidth=0.8, label='greatest')
            _legend(axes)
        axes.set_ylim(bottom=0)
        axes.set_ylabel('ms')
        _mark(axes, timeline)

    return _draw('latency', WIDE, paint)


def shares_timeline(timelines: Mapping[str, Timeline]) -> Markup:
    """Shares from 0 to 1 over the run, by name; one to three."""

    def paint(axes: Axes) -> None:
        for (name, timeline), color in zip(timelines.items(), (BLUE, ORANGE, GREEN)):
            _line(axes, timeline, color, name)
        axes.set_ylim(0, 1.02)
        _mark(axes, next(iter(timelines.values())))
        _legend(axes)

    return _draw('shares', FULL, paint)


def peak_chart(peak: Mapping[str, Any]) -> Markup | None:
    """Latency over the rate of the input, and the peak; None with fewer than two runs."""
    runs = [run for run in peak['runs'] if run['rate_hz'] and run['latency_ms']['p50'] is not None]
    runs.sort(key=lambda run: run['rate_hz'])
    if len(runs) < 2:
        return None
    rates = [run['rate_hz'] for run in runs]

    def paint(axes: Axes) -> None:
        for name, line, color in MARKS:
            values = [run['latency_ms'][name] for run in runs]
            axes.plot(rates, values, line, color=color, marker='o', markersize=4, label=name)
        if peak['peak_hz']:
            axes.axvline(peak['peak_hz'], color=GREEN, linewidth=1.5, label='peak')
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel('images per second')
        axes.set_ylabel('ms')
        _legend(axes)

    return _draw('peak', FULL, paint)


def _line(axes: Axes, timeline: Timeline, color: str, name: str | None = None) -> None:
    """The means, and behind them the range of the frames that share a point."""
    if timeline.is_reduced:
        axes.fill_between(
            timeline.x, timeline.low, timeline.high, color=color, alpha=0.18, linewidth=0
        )
    marker = 'o' if len(timeline.x) <= FEW else None
    axes.plot(
        timeline.x, timeline.mean, color=color, linewidth=1.4, marker=marker, ms=3, label=name
    )


def _mark(axes: Axes, timeline: Timeline) -> None:
    """Name the axis of time, and draw a line wherever another sequence begins."""
    for start in timeline.starts:
        axes.axvline(start, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
    if timeline.span[0] < timeline.span[1]:
        axes.set_xlim(*timeline.span)
    axes.set_xlabel(timeline.unit)


def _legend(axes: Axes) -> None:
    axes.legend(
        fontsize=8, ncol=4, loc='lower right', bbox_to_anchor=(1, 0.99), borderaxespad=0.1
    )


def _draw(
    name: str, inches: tuple[float, float], paint: Callable[[Axes], None]
) -> Markup:
    # Takes a second to import, for which only those who write a page shall wait.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # not the user's own style
        # The same chart has the same ids each time, and two charts of a page have different ones.
        settings: dict[Any, Any] = {**SETTINGS, 'svg.hashsalt': name}
        matplotlib.rcParams.update(settings)
        figure = Figure(figsize=inches, layout='constrained')
        paint(figure.subplots())
        return _svg(figure)


def _svg(figure: Figure) -> Markup:
    text = io.StringIO()
    figure.savefig(text, format='svg', transparent=True, metadata={'Date': None, 'Creator': None})
    svg = text.getvalue()
    svg = svg[svg.index('<svg') :]
    # What belongs to a document of its own: names that the page's other charts have too, sizes,
    # fonts, and a style sheet that would hold for the whole page.
    svg = re.sub(r'<(metadata|style)\b.*?</\1>', '', svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', '<g', svg)
    svg = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r'\1', svg, count=1)
    svg = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r'\1 role="img"', svg, count=1)
    svg = re.sub(r'font: ([\d.]+)px [^;"]*', r'font-size: \1px', svg)
    for color, name in PROPERTIES.items():
        svg = svg.replace(color, f'var({name})')
    return Markup(svg)  # noqa: S704 - drawn by matplotlib, without any text of the input
