# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command line of `ros2 bag play`, against the options of its releases."""

import json
from argparse import ArgumentParser, FileType
from pathlib import Path

import pytest

from mbu_ros.evaluation.live import rosbag2
from mbu_ros.evaluation.live.rosbag2 import find_obstacle, play_command, write_overrides

TOPICS = ['/front/image_raw', '/rear/image_raw']


def play_parser(release):
    """Options of ros2bag's verb/play.py, as far as they can take what belongs to another one."""
    parser = ArgumentParser()
    parser.add_argument('bag_path', nargs='?' if release == 'kilted' else None)
    parser.add_argument('--read-ahead-queue-size', type=int, default=1000)
    parser.add_argument('-r', '--rate', type=float, default=1.0)
    parser.add_argument('--topics', default=[], nargs='+')
    parser.add_argument('--qos-profile-overrides-path', type=FileType('r'))
    parser.add_argument('-l', '--loop', action='store_true')
    clock = parser
    if release != 'humble':
        parser.add_argument('--services', default=[], nargs='+')
        parser.add_argument('--exclude-topics', default=[], nargs='+')
        clock = parser.add_mutually_exclusive_group()
        clock.add_argument('--clock-topics', default=[], nargs='+')
        clock.add_argument('--clock-topics-all', action='store_true')
    clock.add_argument('--clock', type=float, nargs='?', const=40, default=0)
    parser.add_argument('--disable-keyboard-controls', action='store_true')
    parser.add_argument('-p', '--start-paused', action='store_true')
    parser.add_argument('--start-offset', type=float, default=0.0)
    parser.add_argument('--wait-for-all-acked', type=int, default=-1)
    return parser


@pytest.mark.parametrize('release', ['humble', 'jazzy', 'kilted'])
def test_every_release_understands_the_command(tmp_path, release):
    overrides = tmp_path / 'qos.yaml'
    write_overrides(overrides, TOPICS)
    command = play_command(Path('/a bag'), TOPICS, 2, overrides)
    assert command[:3] == ['ros2', 'bag', 'play']
    args = play_parser(release).parse_args(command[3:])
    assert (args.bag_path, args.topics) == ('/a bag', TOPICS)
    assert (args.rate, args.clock) == (2.0, rosbag2.CLOCK_HZ)
    assert args.start_paused and args.disable_keyboard_controls
    assert args.wait_for_all_acked > 0  # 0 waits forever
    assert args.read_ahead_queue_size < 1000
    profiles = json.load(args.qos_profile_overrides_path)
    assert list(profiles) == TOPICS
    assert profiles[TOPICS[1]]['reliability'] == 'reliable'


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(rosbag2.shutil, 'which', lambda name: f'/bin/{name}')
    monkeypatch.setattr(rosbag2.importlib.util, 'find_spec', lambda name: name)


@pytest.fixture
def bag(tmp_path):
    (tmp_path / 'metadata.yaml').touch()
    return tmp_path


def test_a_sound_bag_is_played_by_it_where_it_is_installed(installed, bag):
    assert find_obstacle(bag, []) == ''
    assert find_obstacle(bag / 'bag_0.mcap', []) == ''


def test_what_it_cannot_read_is_left_to_the_other_player(installed, bag):
    assert 'damaged' in find_obstacle(bag, ['the end is missing'])
    (bag / 'metadata.yaml').unlink()
    assert 'metadata.yaml' in find_obstacle(bag, [])


@pytest.mark.parametrize('missing', ['ros2bag', 'rosbag2_interfaces'])
def test_without_all_of_it_it_is_not_installed(installed, bag, monkeypatch, missing):
    monkeypatch.setattr(
        rosbag2.importlib.util, 'find_spec', lambda name: None if name == missing else name
    )
    assert find_obstacle(bag, []) == 'ros2 bag is not installed'
