# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes around the node, and the node itself, that die or stand still. All of it is real.

Promised: what others do costs the node no frame but theirs; a node that is started again goes on
where the last one was killed, and nobody else has to do anything.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from sensor_msgs.msg import Image

from .support import streaming

MODULE = 'mbu_ros.node.segment_node'
PROCESS = Path(__file__).with_name('stream_process.py')
OK, STALE = 0, 3


@pytest.fixture
def peer_context(own_context):
    """A DDS participant of each test: nobody who read its shared memory was killed in one before.

    Fast DDS never gets back what a process was reading when it was killed: after some of that no
    large image fits in any more (https://github.com/eProsima/Fast-DDS/issues/5469).
    """
    return own_context


@pytest.fixture
def launch():
    """Start a `stream_process` with these arguments; it is killed in the end."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, str(PROCESS), *arguments], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def node(start_node, model_file):
    """Start the node; it is active when this returns."""

    def start(**parameters):
        process = start_node(MODULE, {'model': model_file, 'engine': 'reference', **parameters})
        process.wait_for('Active')
        return process

    return start


def test_a_node_that_is_killed_and_started_again(node, peer, wait_until):
    with streaming(peer) as stream:
        for _ in range(2):
            process = node()
            print(f'masks {stream.newer(wait_until):.2f} s after the start')
            process.kill()  # in the middle of a stream
        process = node()
        stream.newer(wait_until)
        assert process.stop() == 0


def test_a_camera_that_dies_and_returns(node, peer, launch, wait_until):
    process = node(**{'limits.max_age': 0.5})
    masks = peer.collect(Image, '/segmentation/mask')
    with streaming(peer, period=None) as ear:
        for life in ('first', 'second'):
            camera = launch('camera', life)
            wait_until(
                lambda life=life: any(mask.header.frame_id == life for mask in list(masks)),
                f'a mask of its {life} life',
            )
            wait_until(lambda: ear.says(OK, subtask='frames'), lambda: ear.status('frames'))
            camera.kill()  # no farewell: DDS has to notice by itself
            wait_until(
                lambda: ear.says(STALE, 'no frame for', 'frames'), lambda: ear.status('frames')
            )
    assert process.stop() == 0


def test_subscribers_that_do_not_keep_up(node, peer, launch, wait_until):
    process = node()
    # Masks are larger than a packet, and more than the middleware has room for.
    with streaming(peer, height=300, width=400) as stream:
        stream.newer(wait_until)
        for pause in ('slow', 'stopped', 'killed'):  # those before stay
            subscribers = peer.node.count_subscribers('/segmentation/mask')
            other = launch('subscriber', '0.5' if pause == 'slow' else '0')
            assert other.stdout.readline() == 'ready\n'
            wait_until(
                lambda count=subscribers: peer.node.count_subscribers('/segmentation/mask') > count,
                'another subscriber',
            )
            if pause == 'stopped':
                other.send_signal(signal.SIGSTOP)
            elif pause == 'killed':
                other.kill()
            before = len(stream.masks)
            wait_until(
                lambda count=before: len(stream.masks) >= count + 30, f'masks beside a {pause} one'
            )
            assert stream.masks == sorted(stream.masks)
        assert process.stop() == 0, 'it ends without waiting for them'
