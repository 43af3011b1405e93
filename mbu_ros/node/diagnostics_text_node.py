# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turns /diagnostics of segment_node into coloured text for RViz, which has no display for it."""

from __future__ import annotations

import sys

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker

from mbu_ros.node.parameter_services import ParameterServices
from mbu_ros.node.spinning import run_node

FRAME = 'diagnostics'
"""Fixed frame of config/segment.rviz."""
LEVELS = {
    DiagnosticStatus.OK: ('OK', (0.4, 1.0, 0.4)),
    DiagnosticStatus.WARN: ('WARN', (1.0, 0.9, 0.2)),
    DiagnosticStatus.ERROR: ('ERROR', (1.0, 0.3, 0.3)),
    DiagnosticStatus.STALE: ('STALE', (0.7, 0.7, 0.7)),
}


class DiagnosticsTextNode(Node):
    """Publishes visualization_msgs/Marker on `segmentation/diagnostics_text`.

    Parameter `node`: name of the segment_node whose diagnostics are shown, in this namespace.
    """

    def __init__(self) -> None:
        super().__init__('diagnostics_text', start_parameter_services=False)
        self._parameter_services = ParameterServices(self)
        node = self.declare_parameter('node', 'segment').value
        self._prefix = f'{self.get_namespace()}/{node}: '.lstrip('/')
        self._publisher = self.create_publisher(Marker, 'segmentation/diagnostics_text', 1)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._show, 10)

    def _show(self, message: DiagnosticArray) -> None:
        statuses = [status for status in message.status if status.name.startswith(self._prefix)]
        if statuses:
            self._publisher.publish(to_marker(statuses))


def to_marker(statuses: list[DiagnosticStatus]) -> Marker:
    """One text, a line or two for each status, in the colour of the worst of them."""
    lines = []
    for status in statuses:
        level, _ = LEVELS[status.level]
        lines += [f'{level}  {status.name}', f'    {status.message}']
    _, (red, green, blue) = LEVELS[max(status.level for status in statuses)]
    marker = Marker(ns='diagnostics', type=Marker.TEXT_VIEW_FACING, text='\n'.join(lines))
    marker.header.frame_id = FRAME  # with no stamp: the newest transform, and none is needed
    marker.pose.orientation.w = 1.0
    marker.scale.z = 1.0
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    # A node that is gone shall not leave its last word on the screen.
    marker.lifetime.sec = 5
    return marker


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; returns the process's exit code."""
    return run_node(DiagnosticsTextNode, args)


if __name__ == '__main__':
    sys.exit(main())
