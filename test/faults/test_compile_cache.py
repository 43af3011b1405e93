# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cache of compiled kernels on a disk that is full or cannot be written, for real.

Promised: kernels are compiled and used all the same, with one warning that says what to set. What
a damaged cache and ten processes at once do to it is in test/kernels/test_compile.py.
"""

import pytest

from ..kernels.conftest import installed, nvcc  # noqa: F401
from .full_disk import run_there

PROGRAM = """
import logging, pathlib, sys
logging.basicConfig(format='%(levelname)s %(message)s')
from mbu_ros import share
share._candidates = lambda: iter([pathlib.Path(sys.argv[1])])
from mbu_ros.engine.cuda.compile import load_cubins
for _ in range(2):
    cubins = load_cubins(['one', 'two'], 87)
    assert b'// one' in cubins['one'] and b'// two' in cubins['two']
"""


@pytest.mark.parametrize(
    'kind, words', [('disk', 'No space left on device'), ('read_only', 'Read-only file system')]
)
def test_kernels_are_used_all_the_same(tmp_path, installed, nvcc, kind, words):  # noqa: F811
    cache = tmp_path / 'cache'
    for source in ('one', 'two'):  # larger than the disk
        with (installed / 'kernels' / f'{source}.cu').open('a') as file:
            file.write('// \n' * 4000)
    outcome = run_there(
        cache, kind, 4, '-c', PROGRAM, installed, MBU_ROS_CACHE=str(cache), TMPDIR=str(tmp_path)
    )
    assert outcome.code == 0, outcome
    lines = outcome.errors.strip().splitlines()
    assert len(lines) == 2, 'one each time that they are compiled'
    assert all(words in line and 'set MBU_ROS_CACHE' in line for line in lines)
    assert outcome.left == []
