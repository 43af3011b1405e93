# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Diagnostics as coloured text for RViz."""

import signal

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
pytest.importorskip('visualization_msgs', reason='it comes with RViz or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from visualization_msgs.msg import Marker

from mbu_ros.node.diagnostics_text_node import FRAME, to_marker

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)


def status(name, level=OK, message='fine'):
    return DiagnosticStatus(name=name, level=level, message=message)


def test_a_marker_has_every_status_and_a_frame_that_needs_no_transform():
    marker = to_marker([status('a: frames', WARN, 'slow'), status('a: engine')])
    assert marker.text.splitlines() == [
        'WARN  a: frames',
        '    slow',
        'OK  a: engine',
        '    fine',
    ]
    assert (marker.type, marker.header.frame_id) == (Marker.TEXT_VIEW_FACING, FRAME)
    assert (marker.header.stamp.sec, marker.header.stamp.nanosec) == (0, 0)


def test_the_colour_tells_the_worst():
    def color(*levels):
        found = to_marker([status('a', level) for level in levels]).color
        return found.r, found.g, found.b

    assert len({color(level) for level in (OK, WARN, ERROR, STALE)}) == 4
    assert color(OK, ERROR, WARN) == color(ERROR)
    red, green, blue = color(ERROR)
    assert red > max(green, blue)
    red, green, blue = color(OK)
    assert green > max(red, blue)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_it_shows_the_node_of_its_namespace(start_node, peer, wait_until, number):
    process = start_node(
        'mbu_ros.node.diagnostics_text_node', remappings={'__ns': '/robot'}
    )
    markers = peer.collect(Marker, '/robot/segmentation/diagnostics_text')
    publisher = peer.publisher(DiagnosticArray, '/diagnostics')
    names = ('robot/segment: frames', 'segment: frames', 'robot/segmented: frames', 'motor')

    def shown():
        publisher.publish(DiagnosticArray(status=[status(name) for name in names]))
        return markers

    wait_until(shown, 'a text')
    assert markers[0].text == 'OK  robot/segment: frames\n    fine'
    assert process.stop(number) == 0
