# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of one frame: a line of frames.csv, and a point of the report's timelines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameRecord:
    """Figures of one frame; None where there is none (never NaN).

    Attributes:
        sequence: which camera of which bag it is of; '' where the source is one sequence.
        name: unique within its sequence, where no stamp is repeated.
        stamp: of its header, nanoseconds since 1970; None where the source has no stamps.
        time: seconds since the first frame of its sequence; None where the source has no clock.
        pixel_accuracy, miou: of this frame's labelled pixels.
        boundary_f1: mean boundary F1 of this frame, one value per tolerance of
            `Evaluation.boundary`; empty where boundaries are not measured.
        flicker, change: see `stability`; against the frame before it in its sequence.
        agreement: share of pixels for which the other model says the same.
        latency_ms: milliseconds.
        logged: as of `Sample`; None where the source has no log.
    """

    sequence: str
    name: str
    stamp: int | None = None
    time: float | None = None
    pixel_accuracy: float | None = None
    miou: float | None = None
    boundary_f1: tuple[float | None, ...] = ()
    flicker: float | None = None
    change: float | None = None
    agreement: float | None = None
    latency_ms: float | None = None
    logged: tuple[int, int] | None = None
