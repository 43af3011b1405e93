# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the segment node says about itself on /diagnostics, read back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

DROPPED = re.compile(r'Frames dropped \((\w+)\)')
PERCENTILE = re.compile(r'(\w+) (p\d+) \(ms\)')


@dataclass(frozen=True)
class CameraCounts:
    """Frames of one camera since the node was started.

    Attributes:
        received, segmented: how many.
        dropped: by reason, all reasons that the node knows.
        stages_ms: percentiles by stage, milliseconds, of the last while.
    """

    received: int = 0
    segmented: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    stages_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass
class NodeState:
    """The last of the node's diagnostics; empty until the first.

    Attributes:
        time: when they were received, in seconds; None before.
        cameras: by name, '' for the one without.
        engine, device, model, model_file: as the node names them.
        readings: all numbers that it told of memory and power, by key, in order.
    """

    time: float | None = None
    cameras: dict[str, CameraCounts] = field(default_factory=dict)
    engine: str = 'unknown'
    device: str = 'unknown'
    model: str = ''
    model_file: str = ''
    readings: dict[str, list[float]] = field(default_factory=dict)

    @property
    def received(self) -> int:
        """Frames of all cameras."""
        return sum(camera.received for camera in self.cameras.values())

    @property
    def segmented(self) -> int:
        """Those that got a mask."""
        return sum(camera.segmented for camera in self.cameras.values())

    @property
    def dropped(self) -> dict[str, int]:
        """Those that got none, by reason."""
        total: Counter[str] = Counter()
        for camera in self.cameras.values():
            total.update(camera.dropped)
        return dict(total)

    @property
    def idle(self) -> bool:
        """Whether every frame received was segmented or dropped."""
        return self.received == self.segmented + sum(self.dropped.values())

    def update(self, statuses: Iterable[Any], node: str, now: float) -> None:
        """Take in the statuses of a DiagnosticArray that are of this node."""
        for status in statuses:
            name, _, subtask = status.name.partition(': ')
            if name != node.lstrip('/'):
                continue
            values = {item.key: item.value for item in status.values}
            if subtask == 'engine':
                self._take_engine(values)
            elif subtask == 'frames' or subtask.endswith(' frames'):
                self.cameras[subtask.removesuffix('frames').rstrip()] = _counts(values)
                self.time = now

    def resources(self) -> dict[str, float | None]:
        """What the run took of the machine, as far as the node told."""
        return {
            'memory_mb': max(self.readings.get('Process memory (MB)', []), default=None),
            'gpu_memory_mb': max(
                self.readings.get('GPU memory of the engine (MB)', []), default=None
            ),
            'watts': _mean(
                self.readings.get('Module power (W)') or self.readings.get('GPU power (W)', [])
            ),
        }

    def _take_engine(self, values: Mapping[str, str]) -> None:
        # Empty while the node is being configured, and again when it is shut down.
        self.engine = values.get('Engine') or self.engine
        self.device = values.get('Device') or self.device
        self.model = values.get('Model') or self.model
        self.model_file = values.get('Model file') or self.model_file
        for key in (
            *('Process memory (MB)', 'GPU memory of the engine (MB)'),
            *('Module power (W)', 'GPU power (W)'),
        ):
            if values.get(key):
                self.readings.setdefault(key, []).append(float(values[key]))


def _counts(values: Mapping[str, str]) -> CameraCounts:
    stages: dict[str, dict[str, float]] = {}
    dropped = {}
    for key, value in values.items():
        if found := DROPPED.fullmatch(key):
            dropped[found[1]] = int(value)
        elif (found := PERCENTILE.fullmatch(key)) and value:
            stages.setdefault(found[1], {})[found[2]] = float(value)
    received, segmented = int(values['Frames received']), int(values['Frames segmented'])
    return CameraCounts(received, segmented, dropped, stages)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
