# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""rviz:=true, with a stand-in for RViz that tells what it was started with."""

import pytest

pytest.importorskip('launch_testing', reason='launch_testing comes with ROS 2')
pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

import importlib.util
import os
import re
from pathlib import Path

import launch_support
import launch_testing


def pretend_to_have(package):
    """Put a package with one executable first on ament's path."""
    prefix = Path(launch_support.temporary_file('marker', '')).with_name(f'{package}_prefix')
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True, exist_ok=True)
    (index / package).touch()
    executable = prefix / 'lib' / package / package
    executable.parent.mkdir(parents=True, exist_ok=True)
    executable.write_text('#!/bin/sh\necho "arguments: $*" >&2\n')
    executable.chmod(0o755)
    os.environ['AMENT_PREFIX_PATH'] = f'{prefix}{os.pathsep}{os.environ["AMENT_PREFIX_PATH"]}'


@pytest.mark.skipif(
    importlib.util.find_spec('visualization_msgs') is None,
    reason='visualization_msgs comes with RViz',
)
@pytest.mark.launch_test
def generate_test_description():
    pretend_to_have('rviz2')
    pretend_to_have('foxglove_bridge')
    return launch_support.ready(
        launch_support.segment(
            namespace='robot',
            cameras='front,rear',
            image_topics='/front/image_raw,/rear/image_raw',
            rviz='true',
            foxglove='true',
        )
    )


class TestView(launch_support.NodeTest):
    def test_rviz_shows_the_first_camera(self, proc_output):
        config = launch_support.launch_file('../config/segment.rviz')
        launch_support.wait_for_log(proc_output, 'segment.rviz')
        for rule in (
            '/camera/image_raw:=/front/image_raw',
            '/segmentation/overlay:=front/segmentation/overlay',
            '__ns:=/robot',
        ):
            launch_support.wait_for_log(proc_output, f'-r {rule}')
        topics = re.findall(r'Value: (/\S+)', Path(config).read_text())
        self.assertIn('/camera/image_raw', topics)
        for topic in topics:  # none is left as it was
            launch_support.wait_for_log(proc_output, f'-r {topic}:=')

    def test_diagnostics_come_as_text(self):
        from visualization_msgs.msg import Marker

        markers = self.collect(Marker, '/robot/segmentation/diagnostics_text')
        for name in ('robot/segment: engine', 'robot/segment: front frames'):
            self.wait_until(
                lambda name=name: any(name in marker.text for marker in list(markers)), name
            )

    def test_foxglove_bridge_is_started(self, proc_info):
        proc_info.assertWaitForShutdown('foxglove_bridge', timeout=launch_support.TIMEOUT)


@launch_testing.post_shutdown_test()
class TestShutdown(launch_support.CleanShutdown):
    pass
