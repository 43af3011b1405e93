# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What RViz and Foxglove are given: well-formed, and of topics that there are."""

import json
import re
from pathlib import Path

import pytest

from mbu_ros.node.parameter_table import OUTPUTS

SOURCE = Path(__file__).parents[1]
TOPICS = {'/camera/image_raw', *(f'/segmentation/{name}' for name in OUTPUTS)}
TEXT = '/segmentation/diagnostics_text'


def rviz():
    yaml = pytest.importorskip('yaml', reason='PyYAML comes with ROS 2')
    return yaml.safe_load((SOURCE / 'config' / 'segment.rviz').read_text())


def rviz_topics():
    displays = rviz()['Visualization Manager']['Displays']
    return {display['Topic']['Value']: display for display in displays}


def foxglove():
    return json.loads((SOURCE / 'config' / 'foxglove.json').read_text())


def test_rviz_shows_image_overlay_and_diagnostics():
    topics = rviz_topics()
    assert set(topics) <= TOPICS | {TEXT}
    assert {name for name, display in topics.items() if display['Enabled']} == {
        '/camera/image_raw',
        '/segmentation/overlay',
        TEXT,
    }


def test_rviz_shows_the_text_in_its_own_frame():
    # Read, not imported: that would take rclpy.
    node = (SOURCE / 'mbu_ros' / 'node' / 'diagnostics_text_node.py').read_text()
    (frame,) = re.findall(r"^FRAME = '(\w+)'", node, re.MULTILINE)
    assert rviz()['Visualization Manager']['Global Options']['Fixed Frame'] == frame
    assert "'segmentation/diagnostics_text'" in node


def test_foxglove_shows_image_overlay_and_diagnostics():
    layout = foxglove()
    panels = layout['configById']

    def names(node):
        if isinstance(node, str):
            return [node]
        return names(node['first']) + names(node['second'])

    assert sorted(names(layout['layout'])) == sorted(panels)
    images = {
        panel['imageMode']['imageTopic']
        for name, panel in panels.items()
        if name.startswith('Image!')
    }
    assert images == {'/camera/image_raw', '/segmentation/overlay'}
    assert panels['DiagnosticSummary!all']['topicToRender'] == '/diagnostics'
    for part in ('frames', 'engine'):
        assert f'name=="segment: {part}"' in panels[f'Table!{part}']['topicPath']
