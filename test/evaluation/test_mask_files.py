# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks as files."""

import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.evaluation.mask_files import MaskFiles

MASK = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_a_mask_comes_back_as_it_was(tmp_path):
    files = MaskFiles(tmp_path / 'new')
    files.put('/front/image_raw', 1_500_000_000_000_000_001, MASK)
    (path,) = (tmp_path / 'new').rglob('*.png')
    assert path == tmp_path / 'new' / '__front__image_raw' / '1500000000.000000001.png'
    assert (files.get('/front/image_raw', 1_500_000_000_000_000_001) == MASK).all()


def test_no_mask_of_another_topic_or_stamp(tmp_path):
    files = MaskFiles(tmp_path)
    files.put('/front/image_raw', 5, MASK)
    assert files.get('/rear/image_raw', 5) is None and files.get('/front/image_raw', 6) is None


@pytest.mark.parametrize('content', [b'', b'\x89PNG no more'])
def test_a_damaged_file_is_named(tmp_path, content):
    files = MaskFiles(tmp_path)
    files.put('/a', 5, MASK)
    files.path('/a', 5).write_bytes(content)
    with pytest.raises(InputError, match='0.000000005.png'):
        files.get('/a', 5)


def test_masks_of_one_stamp_are_told_apart_and_others_named_after_it(tmp_path):
    files = MaskFiles(tmp_path)
    frames = [(5, (100, 0)), (5, (200, 0)), (5, (200, 1)), (6, (300, 0))]
    for index, (stamp, logged) in enumerate(frames):
        files.put('/a', stamp, MASK + index, logged)
    for _ in range(2):  # also where an interrupted run has begun with it
        files.shorten('/a', frames)
        for index, (stamp, logged) in enumerate(frames):
            assert (files.get('/a', stamp, logged) == MASK + index).all()
    assert sorted(path.name for path in (tmp_path / '__a').iterdir()) == [
        '0.000000005@0.000000100.png',
        '0.000000005@0.000000200.png',
        '0.000000005@0.000000200_1.png',
        '0.000000006.png',
    ]
    assert files.get('/a', 5) is None


@pytest.mark.parametrize('topic', ['..', '.', 'a\0b', '../../x', '/'])
def test_no_topic_leads_out_of_the_folder(tmp_path, topic):
    files = MaskFiles(tmp_path / 'masks')
    files.put(topic, 5, MASK)
    assert (files.get(topic, 5) == MASK).all()
    (path,) = tmp_path.rglob('*.png')
    assert path.resolve().parent.parent == (tmp_path / 'masks').resolve()
