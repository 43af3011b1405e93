# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that does not come back from a frame, as with a GPU that hangs.

Promised: the node goes on to answer, says ERROR once no frame was segmented for `limits.max_age`,
and goes on with the newest frame when the engine does.
"""

import threading

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rcl_interfaces.srv import GetParameters

from mbu_ros.model.file import save_model
from mbu_ros.node import diagnostics

from ..workshop import MODEL, make_node, spinning
from .support import streaming

OK, ERROR = 0, 2
NAME = 'hanging'


def test_it_is_an_error_until_the_engine_comes_back(
    ros, shop, peer, wait_until, tmp_path, monkeypatch
):
    monkeypatch.setattr(diagnostics, 'PERIOD_SECONDS', 0.1)
    path = tmp_path / 'small.safetensors'
    save_model(MODEL, path)
    go_on, segment = threading.Event(), shop.segment
    go_on.set()

    def hang(*arguments):
        go_on.wait()
        return segment(*arguments)

    monkeypatch.setattr(shop, 'segment', hang)
    node = make_node(NAME, {'model': str(path), 'limits.max_age': 0.5})
    assert node.start()
    with spinning(node), streaming(peer, node=NAME) as stream:
        stream.newer(wait_until)
        go_on.clear()
        try:
            wait_until(
                lambda: stream.says(ERROR, 'none was segmented', 'frames'),
                lambda: stream.status('frames'),
            )
            request = GetParameters.Request(names=['model'])
            answer = peer.call(GetParameters, f'/{NAME}/get_parameters', request)
            assert answer.values[0].string_value == str(path)
        finally:
            go_on.set()
        stream.newer(wait_until)
        wait_until(
            lambda: stream.status('frames')[0] != ERROR, lambda: stream.status('frames')
        )
        # The frame that was being segmented, and then the newest: none of those in between.
        gaps = [b - a for a, b in zip(stream.masks, stream.masks[1:])]
        assert max(gaps) > 3
