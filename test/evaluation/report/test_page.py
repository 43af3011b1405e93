# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""report.html and compare.html, taken apart: their figures, and that nothing else gets in."""

import numpy as np
import pytest

from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.report.report import build_report
from mbu_ros.evaluation.report.thresholds import Thresholds

from .page_parts import CSS_CALLS, Page, at
from .runs import CLASSES, evaluate, facts, frame, peak, whole_report

pytest.importorskip('jinja2')
pytest.importorskip('matplotlib')

from mbu_ros.evaluation.report.comparison_page import write_comparison  # noqa: E402
from mbu_ros.evaluation.report.figures import UNDEFINED, cell, number, percent  # noqa: E402
from mbu_ros.evaluation.report.page import render_report  # noqa: E402

HOSTILE = '<script>alert(1)</script>"\'><img src=x onerror=alert(1)>{{ 7*7 }}${x}&amp;\u202e'


def page_of(evaluation, report):
    html = render_report(report, evaluation.records, evaluation.gallery)
    return html, Page(html)


@pytest.fixture(scope='module')
def whole():
    evaluation, report = whole_report()
    return report, *page_of(evaluation, report)


def test_every_figure_is_that_of_the_report(whole):
    report, _, page = whole
    assert len(page.figures) > 100
    for path, value, text in page.figures:
        assert value == at(report, path)
        if value is None:
            assert text == UNDEFINED


def test_the_most_important_figures_are_shown(whole):
    report, _, page = whole
    shown = {tuple(path): text for path, _, text in page.figures}
    assert shown['miou',] == f'{report["miou"]:.3f}'
    assert shown['pixel_accuracy',] == f'{100 * report["pixel_accuracy"]:.1f}%'
    assert shown['frames_dropped',] == '2' and shown['frames_in',] == '14'
    assert shown['peak', 'peak_hz'] == '12.5'
    assert shown['latency_ms', 'p50'] == f'{report["latency_ms"]["p50"]:.1f}'
    for name in CLASSES.names:
        for key in ('iou', 'precision', 'recall', 'f1'):
            assert (key, name) in shown
        assert ('boundary_f1', '3', 'classes', name) in shown
    assert ('sequences', 'a:/rear', 'miou') in shown
    assert ('dropped', 'unknown') in shown
    assert ('agreement', 'iou', 'sky') in shown
    assert ('peak', 'runs', 1, 'latency_ms', 'jitter') in shown
    assert ('thresholds', 1, 'value') in shown


def test_a_cell_of_the_matrix_is_the_share_of_its_label(whole):
    report, _, page = whole
    # Backwards: the list of mistakes, which has pixels of the same cells, comes after the matrix.
    shown = {tuple(path): text for path, _, text in reversed(page.figures)}
    for i, row in enumerate(report['confusion']['counts']):
        for j, count in enumerate(row):
            assert shown['confusion', 'counts', i, j] == cell(count / sum(row) if count else 0)


def test_options_versions_and_notes_are_shown(whole):
    report, _, page = whole
    assert 'two messages could not be read' in page.text
    assert '[1, 3]' in page.text and report['versions']['python'] in page.text
    assert report['model_sha256'] in page.text
    assert '2 of 3 thresholds missed' not in page.text
    assert '1 of 3 thresholds missed' in page.text


def test_the_markup_is_whole(whole):
    _, html, page = whole
    assert html.startswith('<!DOCTYPE html>') and page.unclosed == []
    assert len(page.ids) == len(set(page.ids))
    assert all(link[0] == '#' and link[1:] in page.ids for link in page.links)


def test_worst_and_best_frames_are_in_the_file(whole):
    _, _, page = whole
    assert len(page.images) == 6 * 4
    assert all(image.startswith(('data:image/png;', 'data:image/jpeg;')) for image in page.images)
    for word in ('worst', 'best', 'overlay'):
        assert word in page.text


def test_nothing_is_asked_of_any_network(whole):
    _, html, page = whole
    assert page.policy.startswith("default-src 'none';")
    assert 'script' not in page.tags and 'link' not in page.tags and 'iframe' not in page.tags
    style = html[html.index('<style>') : html.index('</style>')]
    assert not any(call in style for call in CSS_CALLS)
    for _, name, value in page.attributes:
        assert not name.startswith('on')
        if name in ('src', 'href', 'xlink:href', 'action', 'data', 'poster'):
            assert value.startswith(('data:', '#'))
        if value and 'url(' in value:
            assert 'url(#' in value  # a clip path of a chart


def test_the_charts_take_the_colours_of_the_page(whole):
    _, html, page = whole
    assert page.tags.count('svg') == 4
    assert 'var(--blue)' in html and '#010' not in html


def test_names_from_the_input_are_only_ever_text():
    classes = ClassMap((HOSTILE, 'sky', 'items'), CLASSES.colors)
    evaluation = Evaluation(classes, pictures=True, against=True)
    for index in range(3):
        sample, mask = frame(index)
        sample = Sample(HOSTILE + str(index), sample.image, sample.label, sample.time, sample.stamp)
        evaluation.add(sample, mask, sequence=HOSTILE, other_mask=mask, stages_ms={HOSTILE: 1.0})
    report = build_report(
        evaluation,
        facts(
            source=HOSTILE,
            model=HOSTILE,
            engine=HOSTILE,
            device=HOSTILE,
            against=HOSTILE,
            dropped={HOSTILE: 1},
            configuration={HOSTILE: HOSTILE, 'list': [HOSTILE]},
            notes=[HOSTILE],
            resources={HOSTILE: HOSTILE},
        ),
    )
    html, page = page_of(evaluation, report)
    assert page.unclosed == [] and 'script' not in page.tags
    assert not any(name.startswith('on') for _, name, _ in page.attributes)
    assert len(page.images) == 3 * 4 and HOSTILE in page.text
    assert '<img src=x' not in html and '49' not in page.text.split(HOSTILE)[0]
    for path, value, _ in page.figures:
        assert value == at(report, path)


def test_the_comparison_escapes_too(tmp_path):
    _, a = whole_report(model=HOSTILE, source=HOSTILE, notes=[HOSTILE])
    _, b = whole_report(configuration={HOSTILE: HOSTILE})
    path = write_comparison(tmp_path / 'new', a, b)
    page = Page(path.read_text())
    assert page.unclosed == [] and 'script' not in page.tags and page.images == []
    assert HOSTILE in page.text and page.policy.startswith("default-src 'none'")


def test_the_comparison_shows_both_values_and_the_difference(tmp_path):
    _, a = whole_report()
    _, b = whole_report()
    a['miou'], b['miou'] = 0.5, 0.625
    text = Page(write_comparison(tmp_path, a, b).read_text()).text
    assert '0.5000' in text and '0.6250' in text and '+0.1250' in text


def test_a_run_without_labels_has_no_accuracy_but_a_page():
    evaluation = evaluate(4, labelled=False)
    report = build_report(evaluation, facts())
    _, page = page_of(evaluation, report)
    assert 'accuracy' not in page.ids and {'time', 'latency', 'pictures'} <= set(page.ids)
    assert 'change' in page.text and 'label of' not in page.text
    assert len(page.images) == 4 * 3


@pytest.mark.parametrize('with_peak', [False, True])
def test_nothing_measured_is_a_page_nevertheless(with_peak):
    report = build_report(
        evaluate(0),
        facts(frames_in=0, dropped={}, peak=peak() if with_peak else None),
        Thresholds(min_miou=0.5),
    )
    _, page = page_of(evaluate(0), report)
    assert ('peak' in page.ids) == with_peak
    assert 'missed' in page.text and page.images == []


def test_a_single_frame_and_a_peak_that_was_not_found():
    found = {**peak(), 'peak_hz': None, 'tries': [], 'notes': []}
    found['runs'] = found['runs'][:1]
    found['runs'][0]['latency_ms'] = dict.fromkeys(found['runs'][0]['latency_ms'])
    evaluation = evaluate(1)
    report = build_report(evaluation, facts(peak=found, frames_in=1, dropped={}))
    _, page = page_of(evaluation, report)
    assert 'At no rate tried' in page.text and page.unclosed == []


def test_many_classes_and_a_mask_that_is_no_class():
    classes = ClassMap(tuple(f'class {i}' for i in range(40)), ((0, 0, 0),) * 40)
    evaluation = Evaluation(classes, pictures=True)
    label = np.arange(40, dtype=np.uint8).repeat(4).reshape(10, 16)
    mask = label.copy()
    mask[0, 0] = 255
    evaluation.add(Sample('a', np.zeros((10, 16, 3), np.uint8), label), mask, latency_ms=1.0)
    _, page = page_of(evaluation, build_report(evaluation, facts(frames_in=1, dropped={})))
    assert (['confusion', 'unpredicted', 0], 1, '25') in page.figures


def test_the_same_report_gives_the_same_bytes():
    evaluation = evaluate(2)
    report = build_report(evaluation, facts())
    assert page_of(evaluation, report)[0] == page_of(evaluation, report)[0]


def test_the_page_stays_small_for_a_long_run():
    evaluation = evaluate(3)
    records = evaluation.records * 4000
    html = render_report(build_report(evaluation, facts()), records, evaluation.gallery)
    assert len(html) < 500_000


@pytest.mark.parametrize(
    'style, value, text',
    [
        (percent, 0.5, '50.0%'),
        (percent, 0.00123, '0.12%'),
        (percent, 0.0, '0.0%'),
        (number, 1234567, '1,234,567'),
        (number, 1234.5, '1,234'),
        (number, 12.34, '12.3'),
        (number, 0.5, '0.50'),
        (number, 0, '0'),
        (cell, 0.0, ''),
        (cell, 0.0001, '·'),
        (cell, 0.0123, '1.2'),
        (cell, 0.999, '100'),
    ],
)
def test_numbers_as_people_read_them(style, value, text):
    assert style(value) == text
