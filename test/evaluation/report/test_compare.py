# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two reports side by side: differences, their directions, and reports that cannot be read."""

import copy
import json

import pytest

from mbu_ros.errors import InputError
from mbu_ros.evaluation.report.compare import compare, warnings
from mbu_ros.evaluation.report.report import build_report, write_json
from mbu_ros.evaluation.report.stored_report import KINDS, read_report

from .runs import evaluate, facts, whole_report


@pytest.fixture
def pair():
    _, report = whole_report()
    return report, copy.deepcopy(report)


def row(a, b, group, name):
    (found,) = (r for r in compare(a, b) if (r.group, r.name) == (group, name))
    return found


def test_a_report_and_itself_do_not_differ(pair):
    rows = compare(*pair)
    assert not any(row.differs for row in rows)
    assert all(row.better is None and not row.difference for row in rows)
    assert warnings(*pair) == []


@pytest.mark.parametrize(
    'group, name, change, better',
    [
        ('Accuracy', 'mean IoU', lambda r: r.update(miou=0.99), True),
        ('Accuracy', 'flicker', lambda r: r['stability'].update(flicker=0.999), False),
        ('Accuracy', 'change', lambda r: r['stability'].update(change=0.999), None),
        ('IoU by class', 'sky', lambda r: r['iou'].update(sky=0.0), False),
        ('Latency, ms', 'p95', lambda r: r['latency_ms'].update(p95=1.0), True),
        ('Latency, ms', 'network, p50', lambda r: r['stages_ms']['network'].update(p50=99), False),
        ('Frames', 'share dropped', lambda r: r.update(frames_dropped=7), False),
        ('Frames', 'dropped: bad', lambda r: r['dropped'].update(bad=0), True),
        ('Peak', 'images per second', lambda r: r['peak'].update(peak_hz=30.0), True),
    ],
)
def test_which_way_is_better(pair, group, name, change, better):
    a, b = pair
    change(b)
    found = row(a, b, group, name)
    assert found.differs and found.better is better
    assert found.difference == pytest.approx(found.b - found.a)
    back = row(b, a, group, name)
    assert back.better is (None if better is None else not better)


def test_what_one_report_lacks_has_no_difference(pair):
    a, b = pair
    del b['boundary_f1']['3']
    b['peak'] = b['agreement'] = None
    b['miou'] = None
    for found in (
        row(a, b, 'Accuracy', 'boundary F1, 3 px'),
        row(a, b, 'Peak', 'images per second'),
        row(a, b, 'Accuracy', 'agreement'),
        row(a, b, 'Accuracy', 'mean IoU'),
    ):
        assert found.b is None and found.a is not None
        assert found.differs and found.difference is found.better is None


def test_options_and_versions_of_both_are_listed(pair):
    a, b = pair
    b['configuration'] = {'jobs': 3, 'new': 1}
    assert (row(a, b, 'Configuration', 'jobs').a, row(a, b, 'Configuration', 'jobs').b) == (2, 3)
    assert row(a, b, 'Configuration', 'new').a is None
    assert row(a, b, 'Configuration', 'jobs').difference is None  # no measurement


def test_other_classes_are_listed_side_by_side(pair):
    a, b = pair
    b['iou'] = {'lane': 0.5}
    b['confusion']['classes'] = ['lane']
    assert row(a, b, 'IoU by class', 'lane').a is None
    assert any('classes differ' in line for line in warnings(a, b))


@pytest.mark.parametrize(
    'change, words',
    [
        (lambda r: r.update(source='other'), 'sources'),
        (lambda r: r.update(mode='live'), 'live and one offline'),
        (lambda r: r.update(device='Orin'), 'devices'),
        (lambda r: r.update(labelled_frames=1), 'labelled frames'),
    ],
)
def test_what_makes_them_incomparable_is_said(pair, change, words):
    a, b = pair
    change(b)
    assert any(words in line for line in warnings(a, b))


def test_reports_without_anything_can_be_compared():
    empty = build_report(evaluate(0), facts(frames_in=0, dropped={}))
    _, whole = whole_report()
    assert compare(empty, empty) and compare(empty, whole) and compare(whole, empty)


def test_a_folder_or_the_file_is_read(tmp_path):
    _, report = whole_report()
    write_json(tmp_path / 'report.json', report)
    assert read_report(tmp_path) == read_report(tmp_path / 'report.json') == report


@pytest.mark.parametrize(
    'text, message',
    [
        (None, 'no such file'),
        ('{"schema_version": 2, "mio', 'not JSON'),
        ('\xff\xfe', 'not JSON'),
        ('[' * 100_000, 'not JSON'),
        ('[1]', 'no schema_version'),
        ('{"mode": "live"}', 'no schema_version'),
        ('{"schema_version": 1}', 'schema version 1, but this mbu_ros reads 2'),
        ('{"schema_version": 3}', 'schema version 3'),
        ('{"schema_version": 2, "mode": 5}', 'not a whole report: .*mode'),
    ],
)
def test_what_is_no_report_of_this_version_is_one_clear_error(tmp_path, text, message):
    if text is not None:
        (tmp_path / 'report.json').write_text(text, encoding='latin-1')
    with pytest.raises(InputError, match=message):
        read_report(tmp_path)


@pytest.mark.parametrize('key', sorted(KINDS))
def test_a_report_with_a_key_missing_is_refused(tmp_path, key):
    _, report = whole_report()
    del report[key]
    (tmp_path / 'report.json').write_text(json.dumps(report))
    with pytest.raises(InputError, match=key):
        read_report(tmp_path)
