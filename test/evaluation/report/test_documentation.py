# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/evaluation.md describes the keys of report.json, the exit codes and the launch arguments."""

import json
import re
from pathlib import Path

from mbu_ros.evaluation.report.report import SCHEMA_VERSION
from mbu_ros.evaluation.report.thresholds import EXIT_CODE

from ...test_docs import rows
from .runs import whole_report

PAGE = 'evaluation.md'
SOURCE = Path(__file__).parents[3]
OPEN = {
    'versions': 'NAME',
    'configuration': 'OPTION',
    'dropped': 'REASON',
    'boundary_f1': 'PX',
    'stages_ms': 'STAGE',
    'sequences': 'SEQUENCE',
    'resources': 'NAME',
    'peak.middleware': 'VARIABLE',
    **dict.fromkeys(('iou', 'precision', 'recall', 'f1'), 'CLASS'),
    **dict.fromkeys(('agreement.iou', 'boundary_f1.PX.classes'), 'CLASS'),
}
"""Objects whose keys are names of the input, and what the documentation writes for these."""
WHOLE = ('peak.runs[].latency_ms',)
"""Objects that are described in one line."""
NULLABLE = ('agreement', 'peak')
"""Objects that have a line of their own, since they may be null."""


def documented():
    """Type by key."""
    found = {}
    for keys, kind, _ in rows(PAGE, 'key | type | meaning'):
        for key in re.findall(r'`([^`]+)`', keys):
            assert key not in found, f'{key} is described twice'
            found[key] = kind
    return found


def flat(value, path=''):
    """Keys of a report as the documentation writes them, with their values."""
    if isinstance(value, dict) and path not in WHOLE:
        if path in NULLABLE:
            yield path, value
        for key, item in value.items():
            name = OPEN.get(path, key)
            yield from flat(item, f'{path}.{name}' if path else name)
    elif isinstance(value, list) and not path.startswith('configuration.'):
        for item in value:
            yield from flat(item, f'{path}[]')
    else:
        yield path, value


def report_with_everything():
    _, report = whole_report()
    camera = {'source': 'a', 'frames_preloaded': 3, 'megabytes': 0.5, 'complete': True}
    report['peak'] |= {'cameras': [camera | {'unusable': 0}], 'middleware': {'VARIABLE': 'x'}}
    return json.loads(json.dumps(report))


def test_every_key_is_described_and_no_other():
    assert {key for key, _ in flat(report_with_everything())} == set(documented())


def test_types_are_as_described():
    kinds = {
        'integer': int,
        'number': (int, float),
        'string': str,
        'boolean': bool,
        'object': dict,
        'any': object,
    }
    described = documented()
    for key, value in flat(report_with_everything()):
        assert value is None or isinstance(value, kinds[described[key]]), key


def test_the_version_is_that_of_the_code():
    text = (SOURCE / 'docs' / PAGE).read_text()
    assert f'Schema version {SCHEMA_VERSION}.' in text
    assert [f'{SCHEMA_VERSION}'] == [
        meaning for keys, _, meaning in rows(PAGE, 'key | type | meaning') if 'schema' in keys
    ]


def test_the_exit_code_of_a_missed_threshold():
    (code,) = (row[0] for row in rows(PAGE, 'exit code | meaning') if 'misses' in row[1])
    assert int(code) == EXIT_CODE


def test_the_arguments_of_the_launch_file():
    text = (SOURCE / 'launch' / 'evaluate.launch.py').read_text()
    declared = re.findall(r"DeclareLaunchArgument\(\s*'(\w+)'", text)
    described = ' '.join(row[0] for row in rows(PAGE, 'argument | default'))
    assert sorted(re.findall(r'`(\w+)`', described)) == sorted(declared)


def test_the_columns_of_frames_csv(tmp_path):
    from mbu_ros.evaluation.report.files import write_frames

    write_frames(tmp_path / 'frames.csv', [], (1,))
    columns = (tmp_path / 'frames.csv').read_text().strip().split(',')
    (meaning,) = (row[1] for row in rows(PAGE, 'file | content') if 'frames.csv' in row[0])
    words = ('sequence', 'name', 'stamp', 'time', 'accuracy', 'boundary', 'flicker', 'change')
    for word in (*words, 'agreement', 'latency'):
        assert word in meaning and any(word in column for column in columns)
