# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of ROS and of its middleware before a node is started."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mbu_ros.bench import ros_machine
from mbu_ros.bench.ros_machine import (
    middleware,
    prefer_large_images,
    prepare_middleware,
    require_rclpy,
)
from mbu_ros.errors import InputError


@pytest.fixture
def empty(monkeypatch):
    """Nothing is set for the middleware, and there is room; all as before in the end."""
    for name in (*ros_machine.MIDDLEWARE, 'ROS_DISTRO'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    monkeypatch.setattr(
        ros_machine.shutil, 'disk_usage', lambda path: SimpleNamespace(free=2**30)
    )
    return monkeypatch


@pytest.mark.parametrize(
    ('distribution', 'name'),
    [
        ('humble', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        ('jazzy', 'FASTDDS_DEFAULT_PROFILES_FILE'),
        ('', 'FASTDDS_DEFAULT_PROFILES_FILE'),
    ],
)
def test_room_is_made_for_large_images(empty, distribution, name):
    empty.setenv('ROS_DISTRO', distribution)
    prefer_large_images()
    assert list(middleware()) == [name]
    assert Path(os.environ[name]).is_file()


def test_what_was_set_is_kept(empty):
    empty.setenv('CYCLONEDDS_URI', 'file:///mine.xml')
    prefer_large_images()
    assert middleware() == {'CYCLONEDDS_URI': 'file:///mine.xml'}


def test_without_room_nothing_is_set(empty):
    empty.setattr(
        ros_machine.shutil, 'disk_usage', lambda path: SimpleNamespace(free=64 * 2**20)
    )
    prefer_large_images()
    assert not middleware()

    def missing(path):
        raise FileNotFoundError(path)

    empty.setattr(ros_machine.shutil, 'disk_usage', missing)
    prefer_large_images()
    assert not middleware()


def test_nobody_else_hears_it_unless_told_otherwise(empty):
    empty.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF')
    prepare_middleware()
    assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'OFF' and middleware()
    empty.delenv('ROS_AUTOMATIC_DISCOVERY_RANGE')
    prepare_middleware()
    assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('raise ImportError("librcl.so: cannot open\\nmore")', 'loaded: librcl.so: cannot open;'),
        ('import a_package_that_is_not_there', 'incomplete here: No module named'),
    ],
)
def test_an_installation_that_cannot_be_loaded_is_one_line(tmp_path, monkeypatch, content, words):
    # As ROS's packages are outside of the environment that they were installed in.
    (tmp_path / 'rclpy.py').write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, 'rclpy', raising=False)
    with pytest.raises(InputError, match=words) as caught:
        require_rclpy()
    assert '\n' not in str(caught.value)
