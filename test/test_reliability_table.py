# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tests that docs/reliability.md names are there."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[1]
TEXT = (SOURCE / 'docs' / 'reliability.md').read_text()


def test_named_tests_are_there():
    named = set(re.findall(r'`(test/[\w/]+\.py)`', TEXT))
    assert len(named) > 30
    assert sorted(path for path in named if not (SOURCE / path).is_file()) == []


def test_named_targets_of_make_are_there():
    makefile = (SOURCE / 'Makefile').read_text()
    named = set(re.findall(r'`make (\w+)', TEXT))
    assert {'soak', 'load', 'fuzz'} <= named
    assert [target for target in named if f'\n{target}:' not in makefile] == []


def test_every_promise_has_a_result():
    rows = [line for line in TEXT.splitlines() if line.startswith('| ') and ' --- ' not in line]
    assert all(line.rstrip('| ').rpartition('|')[2].strip() for line in rows)
