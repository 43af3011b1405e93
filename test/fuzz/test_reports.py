# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reports of earlier evaluations, damaged: refused, or compared and shown."""

import copy
import io
import json

import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from mbu_ros.errors import InputError
from mbu_ros.evaluation.evaluation_file import load_evaluation, save_evaluation
from mbu_ros.evaluation.report.comparison_page import write_comparison
from mbu_ros.evaluation.report.comparison_screen import print_comparison
from mbu_ros.evaluation.report.report import write_json
from mbu_ros.evaluation.report.stored_report import NAME, read_report

from ..evaluation.report.runs import whole_report
from .bounds import outcome
from .mutations import damaged, json_values


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('reports')


@pytest.fixture(scope='module')
def good(folder):
    """A report as it is read, its file, and the file of its evaluation."""
    evaluation, report = whole_report()
    write_json(folder / NAME, report)
    save_evaluation(folder / 'good.npz', evaluation)
    return read_report(folder), (folder / NAME).read_bytes(), (folder / 'good.npz').read_bytes()


def change(draw, content):
    """Change something at any depth of a JSON value."""
    if isinstance(content, dict) and content and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(content)))
        return {**content, key: change(draw, content[key])}
    return draw(json_values)


@settings(max_examples=60)
@given(st.data())
def test_comparisons(good, folder, data):
    report, content, _ = good
    if data.draw(st.integers(0, 3)):
        content = json.dumps(change(data.draw, copy.deepcopy(report))).encode()
    else:
        content = data.draw(damaged(content))
    path = folder / 'case.json'
    path.write_bytes(content)

    def compare():
        other = read_report(path)
        print_comparison(report, other, Console(file=io.StringIO()))
        return write_comparison(folder / 'out', report, other)

    outcome(compare)


@settings(max_examples=40)
@given(st.data())
def test_saved_evaluations(good, folder, data):
    path = folder / 'case.npz'
    path.write_bytes(data.draw(damaged(good[2])))
    outcome(load_evaluation, path)


@pytest.mark.parametrize(
    'change',
    [
        {'iou': {'road': 'x'}, 'frames_in': 'many'},
        {'latency_ms': {}},
        {'stages_ms': {'network': 3}},
        {'versions': {}},
    ],
)
def test_a_report_that_is_damaged_inside(good, folder, change):
    path = folder / 'inside.json'
    path.write_text(json.dumps({**good[0], **change}))
    with pytest.raises(InputError, match='inside.json: not a whole report'):
        read_report(path)


def test_an_evaluation_whose_compressed_data_are_damaged(good, folder):
    path, content = folder / 'inside.npz', bytearray(good[2])
    content[60:120] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(InputError, match='no saved evaluation'):
        load_evaluation(path)
