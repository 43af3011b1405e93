# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits that a report must keep, so that a continuous integration can fail on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mbu_ros.errors import InputError
from mbu_ros.evaluation.report.json_types import Report

EXIT_CODE = 3
"""Of a command whose report missed a threshold; 1 and 2 mean that there is no report."""


@dataclass(frozen=True)
class Thresholds:
    """Limits; None where there is none.

    Attributes:
        min_miou: least mean IoU, 0 to 1.
        max_p95_ms: greatest 95th percentile of the latency, in milliseconds.
        max_drop: greatest share of frames without a mask, 0 to 1.

    Raises:
        InputError: a limit that no report could miss or keep.
    """

    min_miou: float | None = None
    max_p95_ms: float | None = None
    max_drop: float | None = None

    def __post_init__(self) -> None:
        for name, high in (('min_miou', 1.0), ('max_drop', 1.0), ('max_p95_ms', math.inf)):
            limit = getattr(self, name)
            if limit is not None and not (math.isfinite(limit) and 0 <= limit <= high):
                allowed = '0 to 1' if high == 1.0 else 'a number of milliseconds from 0 on'
                option = name.replace('_', '-')
                raise InputError(f'--{option} is {limit:g}; it must be {allowed}')

    def check(self, report: Report) -> list[dict[str, Any]]:
        """What became of each limit that is set: {'name', 'limit', 'value', 'passed'}.

        A value that is undefined (None), such as the mIoU without labels, has not passed.

        Args:
            report: as of `report.build_report`.
        """
        frames = report['frames_in']
        values = {
            'min_miou': report['miou'],
            'max_p95_ms': report['latency_ms']['p95'],
            'max_drop': report['frames_dropped'] / frames if frames else None,
        }
        return [
            {'name': name, 'limit': limit, 'value': value, 'passed': _keeps(name, value, limit)}
            for name, value in values.items()
            if (limit := getattr(self, name)) is not None
        ]


def exit_code(report: Report) -> int:
    """0 where the report kept all its thresholds, else `EXIT_CODE`."""
    return 0 if all(entry['passed'] for entry in report['thresholds']) else EXIT_CODE


def _keeps(name: str, value: float | None, limit: float) -> bool:
    if value is None:
        return False
    return value >= limit if name.startswith('min_') else value <= limit
