# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.errors import InputError
from mbu_ros.replacing import replacing


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / 'new' / 'file'
    with replacing(path) as temporary:
        temporary.write_text('first')
    with replacing(path) as temporary:
        temporary.write_text('second')
        assert path.read_text() == 'first'
    assert path.read_text() == 'second'
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'file'
    path.write_text('old')
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text('half')
        raise ZeroDivisionError
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written'), replacing(tmp_path / 'file' / 'x'):
        pytest.fail('there is no place to write to')
