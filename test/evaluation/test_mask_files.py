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
