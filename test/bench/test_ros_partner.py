# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What comes before a node is measured, without a node."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from mbu_ros.bench import ros_partner
from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.bench.ros_partner import (
    await_partner,
    engine_of,
    middleware,
    prefer_large_images,
    start_rate,
)
from mbu_ros.errors import InputError

PROCESS = SimpleNamespace(check=lambda: None, last_words='it wrote:\n    nothing good')


class Sender:
    """Finds a node, or none, which answers so many of the first frames of each camera."""

    def __init__(self, found=True, **answered):
        self.found, self.answered = found, answered

    def wait_for_partner(self, timeout, check):
        return self.found

    def one_by_one(self, frames, *, timing):
        return {
            name: Exchange({0: 0.0, 1: 1.0}, dict.fromkeys(range(count), 2.0))
            for name, count in self.answered.items()
        }


def test_a_node_that_answers_will_do():
    await_partner(Sender(front=2, rear=1), PROCESS)  # the first frame may get lost


def test_a_node_that_does_not_is_told_with_its_log():
    with pytest.raises(InputError, match='did not start in 120 s; it wrote:\n    nothing good'):
        await_partner(Sender(found=False), PROCESS)
    with pytest.raises(InputError, match='answered no image of rear; it wrote:\n    nothing good'):
        await_partner(Sender(front=2, rear=0), PROCESS)
    with pytest.raises(InputError, match='answered no image; it wrote'):
        await_partner(Sender(**{'': 0}), PROCESS)


@pytest.fixture
def empty(monkeypatch):
    """Nothing is set for the middleware, and there is room; all as before in the end."""
    for name in (*ros_partner.MIDDLEWARE, 'ROS_DISTRO'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    monkeypatch.setattr(
        ros_partner.shutil, 'disk_usage', lambda path: SimpleNamespace(free=2**30)
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
        ros_partner.shutil, 'disk_usage', lambda path: SimpleNamespace(free=64 * 2**20)
    )
    prefer_large_images()
    assert not middleware()

    def missing(path):
        raise FileNotFoundError(path)

    empty.setattr(ros_partner.shutil, 'disk_usage', missing)
    prefer_large_images()
    assert not middleware()


def test_what_the_log_says_of_the_engine():
    assert engine_of('[INFO] hello\n[INFO] [segment]: Engine: cuda on H200; fast\nbye') == (
        'cuda on H200; fast'
    )
    assert engine_of('nothing') == ''


def test_where_to_begin():
    sent = {index: float(index) for index in range(4)}
    masks = {0: 0.9, 1: 1.1, 2: 2.05}
    assert start_rate(Exchange(sent, masks)) == pytest.approx(10.0)
    assert start_rate(Exchange(sent)) == 1.0
