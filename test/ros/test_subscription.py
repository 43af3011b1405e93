# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When the subscription tells of a problem with its topic; no DDS."""

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from mbu_ros.node import subscription
from mbu_ros.node.parameters import CameraSettings
from mbu_ros.node.subscription import ImageSubscription

from .camera_fakes import Node


@pytest.mark.parametrize(
    'looks, told',
    [
        (['gone'] * 4, []),
        (['gone'] * 5, [5]),
        (['gone'] * 50, [5]),
        ([''] * 20 + ['gone'] * 4 + [''] + ['gone'] * 4, []),
        (['gone'] * 3 + ['twice'] * 4 + ['gone'] * 5, [12]),
        (['gone'] * 6 + [''] + ['gone'] * 6, [5, 12]),
        (['twice'] * 7, [5]),
    ],
)
def test_a_problem_is_told_once_it_has_lasted(monkeypatch, looks, told):
    node = Node()
    problems = iter(looks)
    monkeypatch.setattr(subscription, 'find_problem', lambda *_: next(problems))
    monkeypatch.setattr(subscription, 'explain', lambda node, problem, *_: f'problem: {problem}')
    watching = ImageSubscription(
        node, CameraSettings(), '/image', lambda _: None, lambda _: None
    )
    found = []
    for number, _ in enumerate(looks, 1):
        before = len(node.lines)
        watching._look()
        found += [number] * (len(node.lines) - before)
    assert found == told
