# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 bag play` as the player: whether it can play a bag, and how it is told to.

Options are those that Humble has and later releases kept.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

RESUME = '/rosbag2_player/resume'
"""Service (rosbag2_interfaces/srv/Resume) that starts a player which was started paused."""
CLOCK_HZ = 100
READ_AHEAD = 50
"""Messages that it keeps at hand, of all that it plays. Its own choice, 1000, is 6 GB of 2048x1024
images."""
ACKNOWLEDGE_MS = 4000
"""How long it may stay at the end, so that what got lost on the way can be sent again."""
QOS = {'history': 'keep_last', 'depth': 10, 'reliability': 'reliable', 'durability': 'volatile'}
"""With which cameras are played, however they were recorded: reliable publishers reach every
subscriber, and what the node drops is not mixed up with what the middleware loses."""


def find_obstacle(bag: Path, losses: Sequence[str]) -> str:
    """Why `ros2 bag play` cannot be used for this bag; '' where it can.

    Args:
        bag: its folder or file.
        losses: what of it could not be read, as of `BagReader`.
    """
    if shutil.which('ros2') is None or not all(
        map(importlib.util.find_spec, ('ros2bag', 'rosbag2_interfaces'))
    ):
        return 'ros2 bag is not installed'
    if losses:
        return 'the bag is damaged'
    if bag.is_dir() and not (bag / 'metadata.yaml').is_file():
        return 'the bag has no metadata.yaml'
    return ''


def play_command(
    bag: Path, topics: Sequence[str], speed: float, overrides: Path
) -> list[str]:
    """The command that plays these topics of a bag once `RESUME` is called, and ends with the bag.

    Args:
        bag: its folder or file.
        topics: full names.
        speed: factor on the speed at which the bag was recorded.
        overrides: file of `write_overrides`.
    """
    # The bag comes first and the topics last: both --clock and --topics take what follows them.
    return [
        *('ros2', 'bag', 'play', str(bag)),
        *('--clock', str(CLOCK_HZ)),
        *('--rate', repr(float(speed))),
        '--start-paused',
        '--disable-keyboard-controls',
        *('--read-ahead-queue-size', str(READ_AHEAD)),
        *('--wait-for-all-acked', str(ACKNOWLEDGE_MS)),
        *('--qos-profile-overrides-path', str(overrides)),
        *('--topics', *topics),
    ]


def write_overrides(path: Path, topics: Sequence[str]) -> None:
    """Write the file that has these topics played with `QOS`."""
    # JSON is YAML, and quotes what YAML might take for something else.
    path.write_text(json.dumps(dict.fromkeys(topics, QOS)), encoding='utf-8')
