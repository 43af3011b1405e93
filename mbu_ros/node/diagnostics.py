# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Statistics and engine as diagnostic_msgs, for /diagnostics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from mbu_ros.node.lasting import EngineState
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
        engine_state: gives the state of what segments them.
        model_file: where its model lies.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        statistics: FrameStatistics,
        engine_state: Callable[[], EngineState],
        model_file: Path,
    ) -> None:
        self.active = False
        self._node = node
        self._topic = topic
        self._statistics = statistics
        # With the namespace, so that the nodes of two robots can be told apart.
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._engine_state = engine_state
        self._model_file = model_file
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
        state = self._engine_state()
        message.status = [
            frames_status(self._name, summary, fine, text, state.device),
            engine_status(self._name, state, self._model_file),
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
    level = DiagnosticStatus.OK if fine else DiagnosticStatus.WARN
    return _status(f'{name}: frames', level, text, device, values)


def engine_status(name: str, state: EngineState, model_file: Path) -> DiagnosticStatus:
    """What segments them, and an ERROR while it does not."""
    names = state.model.classes.names
    values = [
        ('Engine', state.name),
        ('Device', state.device),
        ('Reason', state.reason),
        ('Model', state.model.name),
        ('Model file', model_file),
        ('Classes', f'{len(names)}: {", ".join(names)}'),
    ]
    level = DiagnosticStatus.ERROR if state.failure else DiagnosticStatus.OK
    text = state.failure or f'{state.name} on {state.device} ({state.reason})'
    return _status(f'{name}: engine', level, text, state.device, values)


def _status(
    name: str, level: bytes, text: str, device: str, values: list[tuple[str, object]]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=text,
        hardware_id=device,
        values=[KeyValue(key=key, value=str(value)) for key, value in values],
    )
