# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judges a camera's frames by limits, in the levels of REP 107; no ROS here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from mbu_ros.node.statistics import WINDOW_SECONDS, FrameSummary


class Level(IntEnum):
    """Levels of a diagnostic_msgs/DiagnosticStatus.

    OK: all is as expected. WARN: something is not, and should be looked into. ERROR: no results
    come, or none that can be relied upon. STALE: there is nothing recent to judge.
    """

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Limits:
    """What a camera is judged by; see `parameter_table` for what switches one off.

    Attributes:
        min_rate: in Hz.
        max_age: of the last frame, in seconds.
        max_latency_p95: from received to published, in milliseconds.
        max_drop_share: dropped among received, 0 to 1.
    """

    min_rate: float = 0.0
    max_age: float = 5.0
    max_latency_p95: float = 0.0
    max_drop_share: float = 1.0


def assess_camera(
    now: FrameSummary, before: FrameSummary, limits: Limits, topic: str, active: float | None
) -> tuple[Level, str]:
    """Judge a camera, and say in one sentence why.

    Args:
        now, before: summaries of this report and of the one before.
        topic: what the camera publishes on.
        active: seconds since the node was activated; None while it is not active.
    """
    if active is None:
        return Level.OK, 'inactive: waiting to be activated'
    age = active if now.age is None else min(now.age, active)
    if limits.max_age and age > limits.max_age:
        what = 'no frames received yet' if now.age is None else f'no frame for {age:.0f} s'
        return Level.STALE, f'{what} on {topic}'
    if now.age is None:
        return Level.WARN, f'no frames received yet on {topic}'
    dropped = {
        reason: count - before.dropped[reason] for reason, count in now.dropped.items()
    }
    if now.waiting > (limits.max_age or WINDOW_SECONDS):
        reasons = ', '.join(f'{reason}: {count}' for reason, count in dropped.items() if count)
        return Level.ERROR, (
            f'frames come on {topic}, but none was segmented in {now.waiting:.0f} s'
            f' (dropped since the last report: {reasons or "none"})'
        )
    if problems := _problems(now, before, dropped, limits, topic, active):
        return Level.WARN, '; '.join(problems)
    if dropped['unwatched'] and not now.output_rate:
        return Level.OK, 'nobody subscribes to results, so that none are made'
    return Level.OK, f'{now.output_rate:.1f} of {now.input_rate:.1f} frames a second'


def _problems(
    now: FrameSummary,
    before: FrameSummary,
    dropped: dict[str, int],
    limits: Limits,
    topic: str,
    active: float,
) -> list[str]:
    found = []
    if now.lost > before.lost:
        found.append(f'{now.lost - before.lost} frames of {topic} lost on the way to this node')
    if dropped['bad']:
        found.append(f'{dropped["bad"]} bad frames dropped since the last report')
    if dropped['engine']:
        found.append(f'{dropped["engine"]} frames dropped because the engine failed')
    # A rate takes a while to be one.
    if active > 2 and now.input_rate < limits.min_rate:
        found.append(f'{now.input_rate:.1f} frames a second come, less than {limits.min_rate:g}')
    p95 = now.percentiles.get('total', (0.0, 0.0))[1]
    if limits.max_latency_p95 and p95 > limits.max_latency_p95:
        found.append(f'latency p95 {p95:.1f} ms, more than {limits.max_latency_p95:g}')
    if now.drop_share > limits.max_drop_share:
        found.append(
            f'{100 * now.drop_share:.0f}% of frames dropped, more than '
            f'{100 * limits.max_drop_share:.0f}%'
        )
    return found
