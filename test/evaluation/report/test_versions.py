# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of the machine, and what is not."""

import json

import cv2

from mbu_ros.evaluation.report.versions import processor, versions


def test_versions_are_those_of_what_runs(monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    found = versions()
    assert found['opencv'] == cv2.__version__ and found['ros_distro'] == 'jazzy'
    assert json.loads(json.dumps(found)) == found
    monkeypatch.delenv('ROS_DISTRO')
    assert versions()['ros_distro'] is None


def test_a_jetson_is_named_by_its_board(tmp_path):
    board, cpu = tmp_path / 'model', tmp_path / 'cpuinfo'
    board.write_bytes(b'NVIDIA Jetson AGX Orin Developer Kit\0')
    assert processor(cpu, board) == 'NVIDIA Jetson AGX Orin Developer Kit'


def test_a_pc_is_named_by_its_processor(tmp_path):
    cpu = tmp_path / 'cpuinfo'
    cpu.write_text('processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t: x\n')
    assert processor(cpu, tmp_path / 'none') == 'Some CPU @ 3 GHz'
