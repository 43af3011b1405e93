# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reports as they are printed."""

import io

from rich.console import Console

from mbu_ros.evaluation.report.comparison_screen import print_comparison
from mbu_ros.evaluation.report.report import build_report
from mbu_ros.evaluation.report.screen import print_report

from .runs import evaluate, facts, whole_report


def printed(show, *reports, encoding='utf-8'):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show(*reports, Console(file=file, width=120))
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def line_with(text, part):
    (line,) = (line for line in text.splitlines() if part in line)
    return line


def test_the_figures_are_there():
    _, report = whole_report()
    text = printed(print_report, report)
    for part in ('small', 'drive/val', 'reference', f'{report["miou"]:.3f}', 'boundary F1 3 px'):
        assert part in text
    assert f'{report["iou"]["road"]:.3f}' in line_with(text, 'road')
    assert 'Frames in 14, out 12, dropped 2 (bad 1, unknown 1)' in text
    assert 'labels 2 unmatched, 1 unusable' in text
    assert 'two messages could not be read' in text
    assert 'large says the same of' in text


def test_thresholds_say_what_became_of_them():
    _, report = whole_report()
    text = printed(print_report, report)
    assert 'kept' in line_with(text, 'min_miou')
    assert 'MISSED, it is 15' in line_with(text, 'max_p95_ms 5')


def test_what_is_undefined_is_a_dash():
    _, report = whole_report()
    report['iou']['car'] = None
    car = line_with(printed(print_report, report), 'car')
    assert '-' in car.split('│')[2]


def test_without_labels_it_says_so():
    text = printed(print_report, build_report(evaluate(2, labelled=False), facts()))
    assert 'No labels' in text and 'road' not in text


def test_without_frames_there_is_no_table_of_zeros():
    text = printed(print_report, build_report(evaluate(0), facts(frames_in=0, dropped={})))
    assert 'Frames in 0' in text and 'Milliseconds' not in text


def test_a_terminal_without_unicode():
    _, report = whole_report()
    assert 'road' in printed(print_report, report, encoding='ascii')
    assert 'road' in printed(print_comparison, report, report, encoding='ascii')


def test_names_are_not_read_as_markup():
    report = build_report(evaluate(2), facts(model='[red]', source='[/]', notes=['[b]']))
    for text in (printed(print_report, report), printed(print_comparison, report, report)):
        assert '[red]' in text and '[/]' in text


def test_a_comparison_shows_figures_and_what_differs():
    _, a = whole_report()
    _, b = whole_report(configuration={'jobs': 7})
    b['miou'] += 0.25
    b['notes'] = []
    text = printed(print_comparison, a, b)
    assert '+0.2500' in line_with(text, 'mean IoU')
    assert line_with(text, '  jobs').split()[-3:-1] == ['7', '│']
    assert 'model_sha256' not in text  # a fact that is the same
    assert 'frequency-weighted IoU' in text  # a figure that is


def test_names_give_no_orders_to_a_terminal():
    _, report = whole_report()
    hostile = 'a\x1b]0;mine\x07'
    report['source'], report['stages_ms'] = hostile, {hostile: report['stages_ms']['network']}
    report['notes'] = [hostile]
    report['configuration'] = {hostile: hostile}
    other = {**report, 'configuration': {hostile: 'b\x9bm'}}
    for text in (printed(print_report, report), printed(print_comparison, report, other)):
        assert r'a\x1b]0;mine\x07' in text and not set(text) & set('\x1b\x07\x9b')
