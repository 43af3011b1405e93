# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""config/segment.param.yaml against the table of parameters. No ROS here."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mbu_ros.node.parameter_table import NODE, PARAMETERS

FILE = Path(__file__).parents[2] / 'config' / 'segment.param.yaml'
GIVEN = [entry for entry in PARAMETERS if entry.changed != NODE]


def flat(tree, prefix=''):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value


def test_it_holds_every_parameter_with_its_default_in_order():
    content = YAML(typ='safe').load(FILE.read_text())
    assert list(content) == ['/**']
    given = list(flat(content['/**']['ros__parameters']))
    assert given == [(entry.name, entry.default) for entry in GIVEN]
    assert [type(value) for _, value in given] == [type(entry.default) for entry in GIVEN]


@pytest.mark.parametrize('entry', GIVEN, ids=lambda entry: entry.name)
def test_its_comments_tell_range_choices_and_when_it_may_be_set(entry):
    lines = FILE.read_text().splitlines()
    key = f'{entry.name.rpartition(".")[2]}:'
    (index,) = [i for i, line in enumerate(lines) if line.strip().startswith(key)]
    above = []
    while lines[index - 1].strip().startswith('#'):
        index -= 1
        above.insert(0, lines[index].strip().lstrip('# '))
    text = ' '.join(above)
    assert f'Set {entry.changed}' in text
    if entry.low is not None:
        # An example of both ends may stand between: '0.0 (...) to 1.0'.
        unit = '' if entry.unit == '1' else f' {entry.unit}'
        assert f'{entry.low}' in text and f'to {entry.high}{unit}' in text
    for choice in () if isinstance(entry.default, list) else entry.choices:
        assert f'{choice}: ' in text


def test_it_names_what_cameras_may_have_of_their_own():
    (text,) = [part for part in FILE.read_text().split('\n\n') if 'own of:' in part]
    for entry in PARAMETERS:
        name = 'limits' if entry.name.startswith('limits') else entry.name
        assert (name in text.partition('. With cameras')[0]) == entry.of_camera
