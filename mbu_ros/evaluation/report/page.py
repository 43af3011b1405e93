# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""report.html: one file with everything in it, that asks no network and runs no script.

Names that stand in a bag, a model or a folder are anybody's input. The templates escape whatever
they insert but `Markup`, and the page's own policy forbids scripts and everything from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from mbu_ros.evaluation.frame_record import FrameRecord
from mbu_ros.evaluation.report.charts import (
    latency_histogram,
    latency_timeline,
    peak_chart,
    shares_timeline,
)
from mbu_ros.evaluation.report.figures import STYLES, difference_text, figure, value_text
from mbu_ros.evaluation.report.gallery import Gallery
from mbu_ros.evaluation.report.json_types import Report
from mbu_ros.evaluation.report.shown_frame import ShownFrame, show_frame
from mbu_ros.evaluation.report.timeline import in_sequences, timeline

SHARES = {'miou': 'mIoU', 'flicker': 'flicker', 'agreement': 'agreement'}
"""What is drawn over time, by attribute of the records; without labels, `change` for flicker."""

MISTAKES = 8


def render_report(
    report: Report, records: Sequence[FrameRecord], gallery: Gallery | None = None
) -> str:
    """The page of a report.

    Args:
        report: as of `report.build_report`.
        records: of its frames.
        gallery: frames to show; None for none.
    """
    return page_template('report.html.j2').render(
        report=report,
        figure=partial(figure, report),
        classes=_classes(report, gallery),
        mistakes=_mistakes(report['confusion']['counts'], report['confusion']['unpredicted']),
        charts=_charts(report, in_sequences(records)),
        frames=_frames(gallery),
    )


def page_template(name: str) -> Template:
    """A template of this package, ready to render."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader('mbu_ros.evaluation.report'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(STYLES)
    environment.filters |= {'value': value_text, 'difference': difference_text}
    return environment


@dataclass(frozen=True)
class _Class:
    name: str
    color: str | None
    share: float | None


def _classes(report: Report, gallery: Gallery | None) -> list[_Class]:
    """Name, colour as CSS has it, and share of the labelled pixels, of each class."""
    confusion = report['confusion']
    rows = zip(confusion['counts'], confusion['unpredicted'])
    pixels = [sum(row) + unpredicted for row, unpredicted in rows]
    total = sum(pixels)
    colors: Sequence[str | None] = [None] * len(pixels)
    if gallery is not None:
        colors = ['#{:02x}{:02x}{:02x}'.format(*color) for color in gallery.classes.colors]
    return [
        _Class(name, color, count / total if total else None)
        for name, color, count in zip(confusion['classes'], colors, pixels)
    ]


@dataclass(frozen=True)
class _Mistake:
    label: int
    mask: int
    pixels: int
    share: float


def _mistakes(counts: Sequence[Sequence[int]], unpredicted: Sequence[int]) -> list[_Mistake]:
    """Pairs of classes that are taken for each other most often, by pixels."""
    mistakes = [
        _Mistake(label, mask, pixels, pixels / (sum(row) + unpredicted[label]))
        for label, row in enumerate(counts)
        for mask, pixels in enumerate(row)
        if label != mask and pixels
    ]
    return sorted(mistakes, key=lambda mistake: -mistake.pixels)[:MISTAKES]


def _charts(report: Report, records: Sequence[FrameRecord]) -> dict[str, Markup | None]:
    """The charts by name; None where there is nothing to draw."""
    names = dict(SHARES)
    if report['stability']['flicker'] is None:
        names['change'] = 'change'
    lines = {
        title: line
        for name, title in names.items()
        if (line := timeline(records, name)) is not None
    }
    latency = timeline(records, 'latency_ms')
    values = [record.latency_ms for record in records if record.latency_ms is not None]
    return {
        'shares': shares_timeline(lines) if lines else None,
        'histogram': latency_histogram(values, report['latency_ms']) if values else None,
        'latency': latency_timeline(latency) if latency else None,
        'peak': peak_chart(report['peak']) if report['peak'] else None,
    }


def _frames(gallery: Gallery | None) -> list[ShownFrame]:
    if gallery is None:
        return []
    return [show_frame(kind, frame, gallery.classes.colors) for kind, frame in gallery.chosen()]
