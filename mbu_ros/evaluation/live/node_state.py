# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the segment node says about itself on /diagnostics, read back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PERCENTILE = re.compile(r'(\w+) (p\d+) \(ms\)')


@dataclass
class NodeState:
    """The last of the node's diagnostics; empty until the first.

    Attributes:
        time: when they were received, in seconds; None before.
        received, segmented, dropped: frames since the node was started.
        engine, device, model: as the node names them.
        stages_ms: percentiles by stage, milliseconds.
    """

    time: float | None = None
    received: int = 0
    segmented: int = 0
    dropped: int = 0
    engine: str = 'unknown'
    device: str = 'unknown'
    model: str = ''
    stages_ms: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether every frame received was segmented or dropped."""
        return self.received == self.segmented + self.dropped

    def update(self, statuses: Iterable[Any], node: str, now: float) -> None:
        """Take in the statuses of a DiagnosticArray that are of this node."""
        for status in statuses:
            values = {item.key: item.value for item in status.values}
            if status.name == f'{node}: frames':
                self._take_frames(values)
                self.time = now
            elif status.name == f'{node}: engine':
                self.engine = values['Engine']
                self.device = values['Device']
                self.model = values['Model']

    def _take_frames(self, values: Mapping[str, str]) -> None:
        self.received = int(values['Frames received'])
        self.segmented = int(values['Frames segmented'])
        self.dropped = sum(
            int(value) for key, value in values.items() if key.startswith('Frames dropped (')
        )
        stages: dict[str, dict[str, float]] = {}
        for key, value in values.items():
            found = PERCENTILE.fullmatch(key)
            if found and value:
                stages.setdefault(found[1], {})[found[2]] = float(value)
        self.stages_ms = stages
