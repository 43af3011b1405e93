# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's state as diagnostic_msgs, for /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from mbu_ros.node.assessment import Level, Limits, assess_camera
from mbu_ros.node.engines import ModelFile
from mbu_ros.node.lasting import EngineState
from mbu_ros.node.parameters import Live
from mbu_ros.node.statistics import (
    PERCENTILES,
    STAGES,
    WINDOW_SECONDS,
    FrameStatistics,
    FrameSummary,
)

PERIOD_SECONDS = 1.0
ENGINE_KEYS = (
    *('Engine', 'Device', 'Architecture', 'Reason'),
    *('Model', 'Model file', 'Input size', 'Classes'),
)


class WatchedCamera(Protocol):
    """A camera, as the diagnostics see it."""

    name: str
    topic: str
    statistics: FrameStatistics


@dataclass(frozen=True)
class NodeReport:
    """What there is to say of the node but for its cameras.

    Attributes:
        state: of its lifecycle, such as 'active'.
        level, text: what stands in the way of its work; OK and '' if nothing does.
        engine, file: what runs, and which model; None while the node is unconfigured.
        hardware: what the machine tells, by key.
    """

    state: str
    level: Level = Level.OK
    text: str = ''
    engine: EngineState | None = None
    file: ModelFile | None = None
    hardware: dict[str, str] = field(default_factory=dict)


class Diagnostics:
    """Publishes once a second, from the node's start to its end.

    Args:
        node: the node; its name precedes the names of the statuses.
        live: for the limits.
        report: gives the state of the node; called just before it is published.

    Attributes:
        cameras: those to report of.
        active_since: time.monotonic() of the activation; None while the node is not active.
    """

    def __init__(self, node: Node, live: Live, report: Callable[[], NodeReport]) -> None:
        self.cameras: list[WatchedCamera] = []
        self.active_since: float | None = None
        self._node = node
        self._live = live
        self._report = report
        # With the namespace, so that the nodes of two robots can be told apart.
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._before: dict[str, FrameSummary] = {}
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        # Steady time: a simulation that stands still must not silence the diagnostics.
        self._timer = node.create_timer(
            PERIOD_SECONDS, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def forget(self) -> None:
        """Report of no camera any more."""
        self.cameras = []
        self._before = {}
        self.active_since = None

    def publish(self) -> None:
        """Publish now."""
        report = self._report()
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        device = report.engine.device if report.engine else ''
        message.status = [self._camera_status(camera, device) for camera in self.cameras]
        message.status.append(engine_status(self._name, report))
        self._publisher.publish(message)

    def _camera_status(self, camera: WatchedCamera, device: str) -> DiagnosticStatus:
        now = camera.statistics.summary()
        before = self._before.get(camera.name, FrameSummary())
        self._before[camera.name] = now
        limits = self._live.limits(camera.name)
        since = self.active_since
        active = None if since is None else time.monotonic() - since
        level, text = assess_camera(now, before, limits, camera.topic, active)
        subtask = f'{camera.name} frames' if camera.name else 'frames'
        values = frame_values(now, limits) | {'Topic': camera.topic}
        return _status(f'{self._name}: {subtask}', level, text, device, values)


def frame_values(now: FrameSummary, limits: Limits) -> dict[str, Any]:
    """What becomes of a camera's frames: counts, rates in Hz, latencies in milliseconds."""
    values: dict[str, Any] = {
        'Frames received': now.received,
        'Frames segmented': now.segmented,
    }
    values |= {f'Frames dropped ({reason})': count for reason, count in now.dropped.items()}
    values |= {
        'Frames lost (middleware)': now.lost,
        'Input rate (Hz)': f'{now.input_rate:.2f}',
        'Output rate (Hz)': f'{now.output_rate:.2f}',
        'Drop share': f'{now.drop_share:.3f}',
        # Empty, not zero, while there is nothing to tell.
        'Age of the last frame (s)': '' if now.age is None else f'{now.age:.3f}',
    }
    for stage in STAGES:
        times = now.percentiles.get(stage)
        for index, percentile in enumerate(PERCENTILES):
            values[f'{stage} p{percentile} (ms)'] = f'{times[index]:.3f}' if times else ''
    values |= {
        'Limit of age (s)': limits.max_age,
        'Limit of latency p95 (ms)': limits.max_latency_p95,
        'Limit of drop share': limits.max_drop_share,
        # As diagnostic_updater's FrequencyStatus names them.
        'Events in window': now.recent,
        'Events since startup': now.received,
        'Duration of window (s)': WINDOW_SECONDS,
        'Actual frequency (Hz)': f'{now.input_rate:.2f}',
        'Minimum acceptable frequency (Hz)': limits.min_rate,
    }
    return values


def engine_status(name: str, report: NodeReport) -> DiagnosticStatus:
    """What segments the frames, and an ERROR while it does not."""
    engine, file = report.engine, report.file
    # All keys at all times, so that whoever reads them need not ask which are there.
    values = dict.fromkeys(ENGINE_KEYS, '') | {'Lifecycle state': report.state}
    if engine is not None:
        names = engine.model.classes.names
        height, width = engine.model.input_size
        values |= {
            'Engine': engine.name,
            'Device': engine.device,
            'Architecture': engine.architecture,
            'Reason': engine.reason,
            'Model': engine.model.name,
            'Model file': file.path,
            'Classes': f'{len(names)}: {", ".join(names)}',
            'Input size': f'{width}x{height}',
        }
        if engine.memory is not None:
            values |= {
                'GPU memory of the engine (MB)': f'{engine.memory.used / 1e6:.1f}',
                'GPU memory free (MB)': f'{engine.memory.free / 1e6:.0f}',
                'GPU memory (MB)': f'{engine.memory.total / 1e6:.0f}',
            }
    values |= report.hardware
    device = engine.device if engine else ''
    if engine is not None and engine.failure:
        return _status(f'{name}: engine', Level.ERROR, engine.failure, device, values)
    level, text = report.level, report.text
    if engine is not None and engine.instead and level == Level.OK:
        level, text = Level.WARN, f'{engine.name} on {engine.device}; {engine.instead}'
    if not text and engine is not None:
        text = f'{engine.name} on {engine.device} ({engine.reason})'
    return _status(f'{name}: engine', level, text, device, values)


def _status(
    name: str, level: Level, text: str, device: str, values: dict[str, Any]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=bytes([level]),
        name=name,
        message=text,
        hardware_id=device,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
