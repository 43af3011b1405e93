# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Statistics and engine as diagnostic_msgs, for /diagnostics."""

from __future__ import annotations

from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from mbu_ros.engine.base import Engine
from mbu_ros.node.statistics import (
    PERCENTILES,
    STAGES,
    FrameStatistics,
    FrameSummary,
    assess,
)

PERIOD_SECONDS = 1.0


class Diagnostics:
    """Publishes the state of the node once a second while it is configured.

    Args:
        node: the node; its name precedes the names of the statuses.
        topic: what its camera publishes on.
        statistics: of that camera's frames.
        engine, reason, model_file: what runs, why it is this engine, and where its model lies.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        statistics: FrameStatistics,
        engine: Engine,
        reason: str,
        model_file: Path,
    ) -> None:
        self.active = False
        self._node = node
        self._topic = topic
        self._statistics = statistics
        # With the namespace, so that the nodes of two robots can be told apart.
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._engine = engine_status(self._name, engine, reason, model_file)
        self._before = FrameSummary()
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        # Steady time: a simulation that stands still must not silence the diagnostics.
        self._timer = node.create_timer(
            PERIOD_SECONDS, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Stop publishing."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def _publish(self) -> None:
        summary = self._statistics.summary()
        fine, text = assess(summary, self._before, self._topic)
        if not self.active:
            fine, text = True, 'inactive: waiting to be activated'
        self._before = summary
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.status = [
            frames_status(self._name, summary, fine, text, self._engine.hardware_id),
            self._engine,
        ]
        self._publisher.publish(message)


def frames_status(
    name: str, summary: FrameSummary, fine: bool, text: str, device: str
) -> DiagnosticStatus:
    """What becomes of the frames: counts, rates in Hz, latencies in milliseconds."""
    values = [
        ('Frames received', summary.received),
        ('Frames segmented', summary.segmented),
        ('Frames dropped (superseded)', summary.superseded),
        ('Frames dropped (bad)', summary.bad),
        ('Frames lost (middleware)', summary.lost),
        ('Input rate (Hz)', f'{summary.input_rate:.2f}'),
        ('Output rate (Hz)', f'{summary.output_rate:.2f}'),
    ]
    for stage in STAGES:
        times = (summary.percentiles or {}).get(stage)
        for index, percentile in enumerate(PERCENTILES):
            # Empty, not zero, while there is nothing to tell.
            value = f'{times[index]:.3f}' if times else ''
            values.append((f'{stage} p{percentile} (ms)', value))
    return _status(f'{name}: frames', fine, text, device, values)


def engine_status(name: str, engine: Engine, reason: str, model_file: Path) -> DiagnosticStatus:
    """What segments them."""
    names = engine.model.classes.names
    values = [
        ('Engine', engine.name),
        ('Device', engine.device),
        ('Reason', reason),
        ('Model', engine.model.name),
        ('Model file', model_file),
        ('Classes', f'{len(names)}: {", ".join(names)}'),
    ]
    text = f'{engine.name} on {engine.device}'
    return _status(f'{name}: engine', True, text, engine.device, values)


def _status(
    name: str, fine: bool, text: str, device: str, values: list[tuple[str, object]]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=DiagnosticStatus.OK if fine else DiagnosticStatus.WARN,
        name=name,
        message=text,
        hardware_id=device,
        values=[KeyValue(key=key, value=str(value)) for key, value in values],
    )
