# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a report says beyond the frames themselves: what ran, on what, and what was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MODES = ('offline', 'live')


@dataclass(frozen=True)
class LabelCounts:
    """How the labels of the source met its images.

    Attributes:
        matched: labels that an image took.
        unmatched: labels without an image within the tolerance.
        unusable: labels of another size than their image, or with values that are no class.
        tolerance_ms: greatest difference of their stamps, in milliseconds.
    """

    matched: int = 0
    unmatched: int = 0
    unusable: int = 0
    tolerance_ms: float = 0.0


@dataclass(frozen=True)
class RunFacts:
    """One run, for `report.build_report`.

    Attributes:
        mode: 'offline' (frames straight from a file) or 'live' (over ROS).
        source: what was evaluated, for people.
        model: name of the model.
        model_sha256: of the model's file, in hexadecimal; None where there is no file.
        engine, device: what ran the model.
        frames_in: frames that the source sent.
        dropped: how many of them got no mask, by reason; what these do not explain is reported
            as 'unknown'.
        labels: what became of the labels.
        configuration: every option of the run by name; values that JSON can hold.
        notes: for people, such as what could not be read.
        stages_ms: by stage what `latency.percentiles` returns, where it was measured elsewhere.
        resources: what the run took of the machine, numbers by name, such as 'cpu_percent'.
        peak: what `find_peak` returned.
        against: name of the other model whose masks were compared.
    """

    mode: str
    source: str
    model: str
    engine: str
    device: str
    frames_in: int
    model_sha256: str | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    labels: LabelCounts = field(default_factory=LabelCounts)
    configuration: Mapping[str, object] = field(default_factory=dict)
    notes: Sequence[str] = ()
    stages_ms: Mapping[str, Mapping[str, float | None]] | None = None
    resources: Mapping[str, object] | None = None
    peak: Mapping[str, object] | None = None
    against: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f'no mode {self.mode!r}; choose one of {", ".join(MODES)}')
