# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads what the segment node publishes on segmentation/timing."""

from __future__ import annotations

from typing import Any

from mbu_ros.node.statistics import STAGES

SUFFIX = ' (ms)'


def read_timing(message: Any, *, decoded: bool) -> dict[str, float]:
    """Milliseconds of a frame by stage, in running order, from a DiagnosticArray.

    The stages are those of which the node's diagnostics have percentiles.

    Args:
        message: as received.
        decoded: whether images are compressed; for others, the node says zero for their decoding.
    """
    values = {item.key: item.value for status in message.status for item in status.values}
    return {
        stage: float(values[stage + SUFFIX])
        for stage in STAGES
        if values.get(stage + SUFFIX) and (decoded or stage != 'decode')
    }
