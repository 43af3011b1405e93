# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: one schema for offline and live runs, written as JSON.

docs/evaluation.md describes it key by key. A figure that is undefined is null, never NaN.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.latency import latency_summary, percentiles
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.evaluation.report.facts import RunFacts
from mbu_ros.evaluation.report.json_types import Report
from mbu_ros.evaluation.report.thresholds import Thresholds
from mbu_ros.evaluation.report.versions import versions
from mbu_ros.replacing import replacing

SCHEMA_VERSION = 2
"""Raised when a key changes its meaning or goes away."""
UNKNOWN = 'unknown'
"""Reason of the dropped frames for which the run knows none."""


def build_report(
    evaluation: Evaluation, facts: RunFacts, thresholds: Thresholds | None = None
) -> dict[str, Any]:
    """Put a report together, ready for `write_json`.

    Args:
        evaluation: of all frames that got a mask.
        facts: what the frames do not say.
        thresholds: limits that the report is checked against.
    """
    confusion, records = evaluation.confusion, evaluation.records
    names = evaluation.classes.names
    report: dict[str, Any] = {
        'schema_version': SCHEMA_VERSION,
        'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'versions': versions(),
        'mode': facts.mode,
        'source': facts.source,
        'model': facts.model,
        'model_sha256': facts.model_sha256,
        'engine': facts.engine,
        'device': facts.device,
        'configuration': facts.configuration,
        'frames_in': facts.frames_in,
        'frames_out': len(records),
        'frames_dropped': facts.frames_in - len(records),
        'dropped': _dropped(facts, len(records)),
        'labelled_frames': evaluation.labelled_frames,
        'labels': asdict(facts.labels),
        'miou': confusion.miou(),
        'pixel_accuracy': confusion.pixel_accuracy(),
        'fw_iou': confusion.frequency_weighted_iou(),
        'iou': dict(zip(names, confusion.iou())),
        'precision': dict(zip(names, confusion.precision())),
        'recall': dict(zip(names, confusion.recall())),
        'f1': dict(zip(names, confusion.f1())),
        'boundary_f1': _boundary(evaluation),
        'stability': {
            'flicker': evaluation.stability.flicker(),
            'change': evaluation.stability.change(),
        },
        'confusion': {
            'classes': names,
            'counts': confusion.counts,
            'unpredicted': confusion.unpredicted,
        },
        'latency_ms': latency_summary(r.latency_ms for r in records if r.latency_ms is not None),
        'stages_ms': _stages(evaluation, facts),
        'sequences': _sequences(evaluation),
        'agreement': _agreement(evaluation, facts),
        'resources': facts.resources,
        'peak': facts.peak,
        'notes': facts.notes,
    }
    report = plain(report)
    report['thresholds'] = (thresholds or Thresholds()).check(report)
    return report


def write_json(path: Path | str, report: Report) -> None:
    """Write a report; a reader sees the old file or the whole new one, never a part.

    Raises:
        InputError: the file cannot be written.
    """
    text = json.dumps(plain(report), indent=2, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + '\n', encoding='utf-8')


def plain(value: object) -> Any:
    """The same in types that JSON knows; what is not a finite number becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def _dropped(facts: RunFacts, frames_out: int) -> dict[str, int]:
    unexplained = facts.frames_in - frames_out - sum(facts.dropped.values())
    return {**facts.dropped, **({UNKNOWN: unexplained} if unexplained > 0 else {})}


def _boundary(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """By tolerance, in pixels: the mean, and the score by class."""
    boundary = evaluation.boundary
    if boundary is None:
        return {}
    scores = zip(boundary.tolerances, boundary.mean_f1(), boundary.f1())
    return {
        str(tolerance): {'mean': mean, 'classes': dict(zip(evaluation.classes.names, by_class))}
        for tolerance, mean, by_class in scores
    }


def _stages(evaluation: Evaluation, facts: RunFacts) -> Mapping[str, Mapping[str, Any]]:
    if facts.stages_ms is not None:
        return facts.stages_ms
    return {stage: percentiles(values) for stage, values in evaluation.stages.items()}


def _sequences(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    frames = Counter(record.sequence for record in evaluation.records)
    return {
        name: {
            'frames': frames[name],
            'labelled_frames': evaluation.labelled[name],
            'miou': confusion.miou(),
            'pixel_accuracy': confusion.pixel_accuracy(),
        }
        for name, confusion in evaluation.by_sequence.items()
    }


def _agreement(evaluation: Evaluation, facts: RunFacts) -> dict[str, Any] | None:
    matrix: ConfusionMatrix | None = evaluation.agreement
    if matrix is None:
        return None
    return {
        'model': facts.against,
        'pixel_share': matrix.pixel_accuracy(),
        'miou': matrix.miou(),
        'iou': dict(zip(evaluation.classes.names, matrix.iou())),
    }
