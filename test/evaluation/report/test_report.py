# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a report says, and that it is JSON without NaN."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mbu_ros import __version__
from mbu_ros.data.sample import Sample
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.report.facts import LabelCounts
from mbu_ros.evaluation.report.report import SCHEMA_VERSION, build_report, plain, write_json
from mbu_ros.evaluation.report.thresholds import Thresholds

from .runs import CLASSES, evaluate, facts, whole_report


def test_facts_and_counts_are_passed_on():
    evaluation = evaluate(6)
    report = build_report(evaluation, facts())
    assert report['schema_version'] == SCHEMA_VERSION == 2
    assert report['versions']['mbu_ros'] == __version__
    assert report['versions']['numpy'] == np.__version__
    assert (report['mode'], report['source'], report['model']) == ('offline', 'drive/val', 'small')
    assert (report['engine'], report['device']) == ('reference', 'CPU')
    assert (report['frames_in'], report['frames_out'], report['frames_dropped']) == (7, 6, 1)
    assert report['labelled_frames'] == 6
    assert report['labels'] == {
        'matched': 6,
        'unmatched': 2,
        'unusable': 1,
        'tolerance_ms': 5.0,
    }
    assert report['configuration'] == {'jobs': 2, 'boundary': [1, 3], 'label_topic': None}
    assert report['notes'] == ['two messages could not be read']
    assert report['thresholds'] == [] and report['peak'] is None and report['agreement'] is None


def test_accuracy_is_that_of_the_confusion_matrix():
    evaluation = evaluate(3)
    report = build_report(evaluation, facts())
    confusion = evaluation.confusion
    assert report['miou'] == confusion.miou()
    assert report['pixel_accuracy'] == confusion.pixel_accuracy()
    assert report['fw_iou'] == confusion.frequency_weighted_iou()
    for key in ('iou', 'precision', 'recall', 'f1'):
        values = getattr(confusion, key)()
        assert list(report[key]) == list(CLASSES.names)
        assert list(report[key].values()) == [None if np.isnan(v) else v for v in values]
    assert report['confusion']['classes'] == list(CLASSES.names)
    assert report['confusion']['counts'] == confusion.counts.tolist()
    # 'car' is in masks alone: no label that could be recalled.
    assert report['recall']['car'] is None and report['iou']['car'] == 0.0


def test_boundary_scores_by_tolerance():
    evaluation = evaluate(3, boundary=(2, 4))
    report = build_report(evaluation, facts())
    assert list(report['boundary_f1']) == ['2', '4']
    assert report['boundary_f1']['4']['mean'] == evaluation.boundary.mean_f1()[1]
    assert report['boundary_f1']['2']['classes']['sky'] == evaluation.boundary.f1()[0, 1]
    assert build_report(evaluate(2, boundary=()), facts())['boundary_f1'] == {}


def test_latencies_are_those_of_the_frames():
    report = build_report(evaluate(5), facts())
    latency = report['latency_ms']
    assert (latency['count'], latency['min'], latency['p50'], latency['max']) == (5, 10, 12, 14)
    assert latency['jitter'] == 1.0
    assert report['stages_ms']['network']['p50'] == 11.0
    elsewhere = {'publish': {'p50': 1.0, 'p95': 2.0, 'p99': 3.0}}
    assert build_report(evaluate(5), facts(stages_ms=elsewhere))['stages_ms'] == elsewhere


def test_drops_without_a_known_reason_are_unknown():
    evaluation = evaluate(6)

    def dropped(frames_in):
        return build_report(evaluation, facts(frames_in=frames_in, dropped={'bad': 1}))['dropped']

    assert dropped(10) == {'bad': 1, 'unknown': 3}
    assert dropped(8) == {'bad': 1, 'unknown': 1}
    assert dropped(7) == {'bad': 1}


def test_each_sequence_has_its_own_figures():
    report = build_report(evaluate(4, sequences=('a', 'b')), facts(frames_in=8))
    assert list(report['sequences']) == ['a', 'b']
    for figures in report['sequences'].values():
        assert figures['frames'] == figures['labelled_frames'] == 4
        assert figures['miou'] == report['miou']  # the same frames in both


def test_agreement_with_another_model_needs_no_labels():
    report = build_report(evaluate(3, labelled=False, against=True), facts(against='large'))
    assert report['agreement']['model'] == 'large'
    assert 0 < report['agreement']['pixel_share'] < 1
    assert set(report['agreement']['iou']) == set(CLASSES.names)
    assert report['miou'] is None


def test_nothing_at_all_is_null_and_never_nan(tmp_path):
    report = build_report(Evaluation(CLASSES), facts(frames_in=0, dropped={}))
    path = tmp_path / 'new' / 'report.json'
    write_json(path, report)
    read = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f'{name} in JSON'))
    assert read == report
    assert read['miou'] is None and read['stability'] == {'flicker': None, 'change': None}
    assert set(read['iou'].values()) == {None}
    assert read['latency_ms'].pop('count') == 0
    assert set(read['latency_ms'].values()) == {None}


def test_a_whole_report_survives_json(tmp_path):
    _, report = whole_report()
    write_json(tmp_path / 'report.json', report)
    assert json.loads((tmp_path / 'report.json').read_text()) == report


def test_plain_knows_what_json_does_not():
    value = {'a': (np.float32(0.5), np.int64(3)), 'b': Path('x/y'), 'c': float('inf'), 4: True}
    assert plain(value) == {'a': [0.5, 3], 'b': str(Path('x/y')), 'c': None, '4': True}


def test_thresholds_are_checked_against_the_report():
    report = build_report(evaluate(6), facts(), Thresholds(min_miou=0.999))
    assert report['thresholds'] == [
        {'name': 'min_miou', 'limit': 0.999, 'value': report['miou'], 'passed': False}
    ]


def test_no_other_mode():
    with pytest.raises(ValueError, match='offline, live'):
        facts(mode='replay')


def test_labels_default_to_none_of_them():
    assert LabelCounts() == LabelCounts(0, 0, 0, 0.0)


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / 'report.json'
    path.write_text('old')

    def fail(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(InputError, match='No space left'):
        write_json(path, {'a': 1})
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['report.json']


def test_a_report_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(InputError, match='cannot be written'):
        write_json(tmp_path / 'file' / 'report.json', {})


def test_labels_without_a_labelled_pixel_count_in_their_sequence_too():
    evaluation = Evaluation(CLASSES)
    label = np.full((6, 8), 255, np.uint8)
    sample = Sample('empty', np.zeros((6, 8, 3), np.uint8), label)
    evaluation.add(sample, np.zeros((6, 8), np.uint8), sequence='a')
    report = build_report(evaluation, facts(frames_in=1, dropped={}))
    assert report['labelled_frames'] == report['sequences']['a']['labelled_frames'] == 1
    assert report['sequences']['a']['miou'] is None
