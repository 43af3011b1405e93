# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The bounds themselves: what breaks them is a find."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mbu_ros.errors import InputError

from . import bounds


def refuse(text):
    raise InputError(text)


def test_a_documented_error_is_a_refusal_and_any_other_a_find():
    assert bounds.outcome(refuse, 'no such file') is None
    with pytest.raises(ZeroDivisionError):
        bounds.outcome(lambda: 1 / 0)


@pytest.mark.parametrize('text', ['', ' \n', 'x' * (bounds.MOST_TEXT + 1)])
def test_an_error_that_nobody_reads_is_a_find(text):
    with pytest.raises(AssertionError):
        bounds.outcome(refuse, text)


def test_an_error_that_nobody_can_print_is_a_find():
    with pytest.raises(UnicodeEncodeError):
        bounds.check_text('\ud800')


@pytest.mark.skipif(sys.platform != 'linux', reason='memory is bounded on Linux only')
def test_too_much_memory_is_a_find():
    assert bounds.outcome(np.zeros, 1 << 20, memory=1 << 26) is not None
    with pytest.raises(MemoryError):
        bounds.outcome(np.zeros, 1 << 27, memory=1 << 26)
    assert np.zeros(1 << 27).size  # the bound ends with the case


HANG = """
import time
import bounds
bounds.SECONDS = 0
bounds.report_hangs_to(2)
with bounds.bounded():
    time.sleep(60)
"""


def test_a_hang_ends_the_process_and_tells_where_it_was():
    folder = Path(bounds.__file__).parent
    done = subprocess.run(
        [sys.executable, '-c', HANG], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode != 0 and 'Timeout' in done.stderr and '"<string>", line 7' in done.stderr
