# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files without starting a node: what they tell of themselves, and what they refuse."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip('launch_ros', reason='launch_ros comes with ROS 2')

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.launch_description_sources import get_launch_description_from_any_launch_file

FOLDER = Path(__file__).parents[2] / 'launch'
FILES = sorted(FOLDER.rglob('*.launch.*'))
SEGMENT_ARGUMENTS = {
    'image_topic',
    'cameras',
    'image_topics',
    'model',
    'engine',
    'params_file',
    'namespace',
    'remappings',
    'enclave',
    'log_level',
    'autostart',
    'respawn',
    'rviz',
    'foxglove',
}


@pytest.fixture(autouse=True)
def installed():
    try:
        get_package_prefix('mbu_ros')
    except (PackageNotFoundError, OSError):  # the latter without AMENT_PREFIX_PATH
        pytest.skip('launch files find the package only where it is installed')


def arguments(path):
    description = get_launch_description_from_any_launch_file(str(path))
    return {argument.name: argument for argument in description.get_launch_arguments()}


def launch(name, *given):
    """`ros2 launch`; returns the exit code and all it wrote."""
    if shutil.which('ros2') is None:
        pytest.skip('ros2 launch comes with ROS 2')
    result = subprocess.run(
        ['ros2', 'launch', FOLDER / name, *given], capture_output=True, text=True, timeout=60
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_every_argument_is_described(path):
    found = arguments(path)
    assert found
    for name, argument in found.items():
        assert argument.description not in ('', 'no description given'), name


def test_arguments_of_the_main_launch_file():
    assert set(arguments(FOLDER / 'segment.launch.py')) == SEGMENT_ARGUMENTS
    code, output = launch('segment.launch.py', '--show-args')
    assert code == 0
    assert [name for name in SEGMENT_ARGUMENTS if f"'{name}':" not in output] == []


@pytest.mark.parametrize(
    'given, words',
    [
        (['cameras:=front,rear', 'image_topics:=/front'], 'image_topics has 1 topics'),
        (['image_topics:=/front'], 'there is image_topic'),
        (['remappings:=image=/front'], "'image=/front' is not FROM:=TO"),
        (['remappings:=image :=/front'], "'image' is not FROM:=TO"),
        (['engine:=fast'], 'reference'),
    ],
    ids=lambda value: None if isinstance(value, str) else value[-1],
)
def test_bad_arguments_start_nothing(given, words):
    code, output = launch('segment.launch.py', *given)
    assert code == 1 and words in output
    assert 'process started' not in output


def test_the_node_starts_in_its_enclave(monkeypatch, tmp_path):
    monkeypatch.setenv('ROS_SECURITY_ENABLE', 'true')
    monkeypatch.setenv('ROS_SECURITY_STRATEGY', 'Enforce')
    monkeypatch.setenv('ROS_SECURITY_KEYSTORE', str(tmp_path))  # an empty one: it starts no further
    _, output = launch('segment.launch.py', 'enclave:=/robot/segment')
    assert f"'{tmp_path}/enclaves/robot/segment' does not exist" in output


@pytest.mark.parametrize('viewer', ['rviz', 'foxglove'])
def test_a_viewer_that_is_not_installed_is_told(viewer, monkeypatch):
    package = {'rviz': 'rviz2', 'foxglove': 'foxglove_bridge'}[viewer]
    prefix = get_package_prefix('mbu_ros')
    monkeypatch.setenv('AMENT_PREFIX_PATH', prefix)
    if (Path(prefix) / 'share' / package).exists():
        pytest.skip(f'{package} is in the same prefix')
    code, output = launch('view.launch.py', 'rviz:=false', f'{viewer}:=true')
    assert code == 0 and f'{package} is not installed' in output
