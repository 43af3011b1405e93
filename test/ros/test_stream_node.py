# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera of a soak or a load test hears of the node's diagnostics."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.parameter import Parameter

from mbu_ros.bench import stream_node

OK, WARN, ERROR, STALE = (bytes([level]) for level in range(4))
SECOND = 1_000_000_000


def said(when, **levels):
    """Diagnostics of a node at a time in nanoseconds: its level by 'frames' and 'engine'."""
    message = DiagnosticArray()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(when, SECOND)
    message.status = [
        DiagnosticStatus(
            level=level,
            name=f'segment: {kind}',
            message=f'{kind} {level[0]}',
            values=[KeyValue(key='when', value=str(when))],
        )
        for kind, level in levels.items()
    ]
    return message


@pytest.fixture
def camera(ros, tmp_path):
    path = tmp_path / 'drive.npy'
    np.save(path, np.zeros((2, 4, 6, 3), np.uint8))
    parameters = {'frames': str(path), 'node': 'segment', 'rate': 0.1}
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    camera = stream_node.StreamCamera(parameter_overrides=overrides)
    yield camera
    camera._end.set()
    if camera._sender.is_alive():
        camera._sender.join()
    camera.destroy_node()


def test_an_error_that_is_over_before_it_is_asked_for_is_told(camera):
    camera._take_diagnostics(said(SECOND, frames=STALE, engine=OK))
    camera.go()
    now = time.time_ns() + SECOND
    assert camera.tell()['complaints'] == {}, 'what was before the first frame does not count'
    for when, level in enumerate((OK, ERROR, ERROR, WARN)):
        camera._take_diagnostics(said(now + when, frames=level, engine=OK))
    told = camera.tell()
    assert told['complaints'] == {'ERROR (frames)': 'frames 2'}
    assert told['node']['frames']['level'] == 1 and told['node']['engine']['message'] == 'engine 0'
    assert camera.tell()['complaints'] == {}


def test_the_last_word_is_one_that_knows_of_all_frames(camera, wait_until, monkeypatch):
    monkeypatch.setattr(stream_node, 'LAST_WORD_SECONDS', 60.0)
    told = []
    early = time.time_ns()
    thread = threading.Thread(target=lambda: told.append(camera.finish()))
    thread.start()
    wait_until(lambda: camera._since > early, 'the end of the stream')
    camera._take_diagnostics(said(early, frames=OK, engine=OK))  # on its way for long
    camera._take_diagnostics(said(camera._since, engine=OK))
    thread.join(0.2)
    assert thread.is_alive() and not told
    late = camera._since
    camera._take_diagnostics(said(late, frames=OK, engine=OK))
    thread.join(20)
    assert told[0]['node']['frames']['values'] == {'when': str(late)}
