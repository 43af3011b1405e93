# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tables in docs/ are those of the code."""

import re
from pathlib import Path

import pytest

from mbu_ros.node.parameter_table import CONFIGURE, LIVE, NODE, OUTPUTS, PARAMETERS, START
from mbu_ros.node.statistics import DROP_REASONS

SOURCE = Path(__file__).parents[1]
DOCS = SOURCE / 'docs'
CHANGED = {LIVE: 'live', CONFIGURE: 'unconfigured', START: 'start', NODE: 'node'}


def rows(page, heading):
    """Cells of the table that begins with this heading row."""
    lines = iter((DOCS / page).read_text().splitlines())
    cells = [line.strip('| ').replace(r'\*', '*') for line in lines if line.startswith('|')]
    start = next(i for i, line in enumerate(cells) if line.startswith(heading))
    found = []
    for line in cells[start + 2 :]:
        if line.endswith(' ---') or ' --- ' in line:
            found.pop()  # the heading of the next table
            break
        found.append([cell.strip() for cell in line.split(' |')])
    return found


def type_name(entry):
    if isinstance(entry.default, list):
        element = entry.element or type(entry.default[0])
        return {str: 'string[]', int: 'integer[]'}[element]
    names = {bool: 'bool', int: 'integer', float: 'double', str: 'string'}
    return names[type(entry.default)]


def range_text(entry):
    if entry.name == 'cameras':
        return '`[a-z][a-z0-9_]*` each'
    if entry.low is not None:
        unit = '' if entry.unit in ('', '1') else f' {entry.unit}'
        return f'{entry.low:g} to {entry.high:g}{unit}'
    return ' '.join(f'`{choice}`' for choice in entry.choices)


def default_text(entry):
    value = str(entry.default) or "''"
    return f'`{value.lower() if isinstance(entry.default, bool) else value}`'


def test_parameters_of_the_node():
    documented = [row[:5] for row in rows('node.md', 'name | type | default')]
    assert documented == [
        [
            f'`{entry.name}`' + ('*' if entry.of_camera else ''),
            type_name(entry),
            default_text(entry),
            range_text(entry),
            CHANGED[entry.changed],
        ]
        for entry in PARAMETERS
    ]


def test_outputs_of_the_node():
    names = [row[0] for row in rows('node.md', 'published | type')]
    assert names == [*(f'`segmentation/{name}`' for name in OUTPUTS), '`/diagnostics`']


def test_reasons_of_drops():
    assert tuple(row[0] for row in rows('node.md', 'reason of a drop')) == DROP_REASONS


def test_arguments_of_the_launch_file():
    text = (SOURCE / 'launch' / 'segment.launch.py').read_text()
    declared = re.findall(r"DeclareLaunchArgument\(\s*'(\w+)'", text)
    documented = ' '.join(row[0] for row in rows('node.md', 'argument | default'))
    assert sorted(re.findall(r'`(\w+)`', documented)) == sorted(declared)


@pytest.mark.parametrize('page', sorted(DOCS.glob('*.md')), ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    links = [
        link.partition('#')[0]
        for link in re.findall(r'\]\(([^)]+)\)', page.read_text())
        if '://' not in link
    ]
    assert [link for link in links if link and not (page.parent / link).exists()] == []
