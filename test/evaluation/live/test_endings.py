# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Notes of processes that have ended."""

from mbu_ros.evaluation.live.endings import describe_end, note_end, read_ends


def test_ends_are_read_back(tmp_path):
    folder = tmp_path / 'ends'
    assert read_ends(folder) == {}
    note_end(folder, 'player', 0)
    note_end(folder, 'node', -9)
    (folder / '.node.half').write_text('')  # being written
    assert read_ends(folder) == {'player': 0, 'node': -9}


def test_ends_are_put_into_words():
    assert describe_end('node', -9) == 'the node was ended by signal 9'
    assert describe_end('player', 1) == 'the player ended with exit code 1'
