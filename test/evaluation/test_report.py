# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report's schema, its files and what it prints."""

import csv
import io
import json
import os

import numpy as np
import pytest
from rich.console import Console

from mbu_ros import __version__
from mbu_ros.data.files import read_image
from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.evaluation.latency import percentiles
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.evaluation.report import gallery as gallery_module
from mbu_ros.evaluation.report.gallery import ANIMATION, SHEET, Gallery
from mbu_ros.evaluation.report.report import (
    FrameRecord,
    build_report,
    print_report,
    write_frames,
    write_json,
)
from mbu_ros.imaging.sheet import AnimationUnavailable

CLASSES = ClassMap(('road', 'sky', 'car'), ((128, 0, 0), (0, 128, 0), (0, 0, 128)))


def report_of(confusion, **changes):
    values = {
        'mode': 'offline',
        'source': 'drive/val',
        'model': 'small',
        'engine': 'reference',
        'device': 'CPU',
        'classes': CLASSES,
        'confusion': confusion,
        'frames_in': 5,
        'frames_out': 4,
        'labelled_frames': 4,
        'latency_ms': percentiles([10.0, 20.0]),
        'stages_ms': {'network': percentiles([9.0, 19.0])},
    }
    return build_report(**{**values, **changes})


@pytest.fixture
def confusion():
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 0, 1, 255]], np.uint8))
    return matrix


def test_report_has_the_whole_schema(confusion):
    report = report_of(confusion)
    assert report == {
        'schema_version': 1,
        'mbu_ros': __version__,
        'mode': 'offline',
        'source': 'drive/val',
        'model': 'small',
        'engine': 'reference',
        'device': 'CPU',
        'frames': 4,
        'frames_in': 5,
        'frames_out': 4,
        'frames_dropped': 1,
        'labelled_frames': 4,
        'miou': 0.75,
        'pixel_accuracy': 0.75,
        'iou': {'road': 1.0, 'sky': 0.5, 'car': None},
        'latency_ms': {'p50': 15.0, 'p95': 19.5, 'p99': pytest.approx(19.9)},
        'stages_ms': {'network': {'p50': 14.0, 'p95': 18.5, 'p99': pytest.approx(18.9)}},
        'confusion': {
            'classes': ['road', 'sky', 'car'],
            'counts': [[2, 0, 0], [0, 1, 0], [0, 0, 0]],
            'unpredicted': [0, 1, 0],
        },
    }
    assert all(type(key) is str for key in report['iou'])


def test_report_without_labels_has_null_and_never_nan(tmp_path):
    report = report_of(ConfusionMatrix(3), labelled_frames=0, latency_ms=percentiles([]))
    path = tmp_path / 'new' / 'report.json'
    write_json(path, report)
    read = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f'{name} in JSON'))
    assert read == report
    assert read['miou'] is None and read['pixel_accuracy'] is None
    assert set(read['iou'].values()) == {None}
    assert read['latency_ms'] == {'p50': None, 'p95': None, 'p99': None}


def test_no_other_mode(confusion):
    with pytest.raises(ValueError, match='offline, live'):
        report_of(confusion, mode='replay')


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path, confusion, monkeypatch):
    path = tmp_path / 'report.json'
    path.write_text('old')

    def fail(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(InputError, match='No space left'):
        write_json(path, report_of(confusion))
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['report.json']


def test_a_report_that_cannot_be_written_is_an_input_error(tmp_path, confusion):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(InputError, match='cannot be written'):
        write_json(tmp_path / 'file' / 'report.json', report_of(confusion))


def test_frames_csv_has_a_line_per_frame(tmp_path):
    path = tmp_path / 'frames.csv'
    write_frames(path, [FrameRecord('a', 0.5, 0.9, float('nan'), 12.25), FrameRecord('b,c')])
    lines = list(csv.DictReader(path.open()))
    assert lines == [
        {
            'name': 'a',
            'stamp': '0.500000',
            'pixel_accuracy': '0.900000',
            'miou': '',
            'latency_ms': '12.250000',
        },
        {'name': 'b,c', 'stamp': '', 'pixel_accuracy': '', 'miou': '', 'latency_ms': ''},
    ]


def printed(report, encoding='utf-8'):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_report(report, Console(file=file, width=100))
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def test_printed_report_has_the_figures(confusion):
    text = printed(report_of(confusion))
    for part in ('small', 'drive/val', 'reference', 'road', '1.000', '0.500', '0.750', '15.00'):
        assert part in text
    assert 'Frames in 5, out 4, dropped 1' in text
    (car,) = (line for line in text.splitlines() if 'car' in line)
    assert '-' in car and '0.' not in car


def test_printed_report_without_labels_says_so():
    text = printed(report_of(ConfusionMatrix(3), labelled_frames=0))
    assert 'No labels' in text and 'road' not in text


def test_report_prints_on_a_terminal_without_unicode(confusion):
    assert 'road' in printed(report_of(confusion), encoding='ascii')


def test_model_names_are_not_read_as_markup(confusion):
    assert '[red]' in printed(report_of(confusion, model='[red]', source='[/]'))


def filled_gallery(scores, **options):
    """A gallery of frames whose image is one shade of grey, the frame's number."""
    gallery = Gallery(CLASSES, **options)
    mask = np.zeros((12, 16), np.uint8)
    for i, score in enumerate(scores):
        image = np.full((12, 16, 3), i, np.uint8)
        gallery.add(f'frame{i}', image, mask, None if score is None else mask, score)
    return gallery


def shades(sheet):
    """Numbers of the frames on a sheet, top to bottom: shades in the middle of the first column."""
    column = sheet[:, 16].astype(int)
    grey = (column.max(axis=1) == column.min(axis=1)) & (column[:, 0] < 40)
    found = column[grey, 0].tolist()
    return [shade for i, shade in enumerate(found) if i == 0 or found[i - 1] != shade]


def test_sheet_shows_worst_median_and_best(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_module, 'write_animation', lambda *_, **__: None)
    captured = {}

    def capture(path, rows, columns, titles, classes):
        captured.update(columns=columns, titles=titles)

    monkeypatch.setattr(gallery_module, 'write_sheet', capture)
    order = [5, 3, 8, 0, 9, 1, 7, 2, 6, 4]
    filled_gallery([i / 10 for i in order], each=1).write(tmp_path)
    assert captured['columns'] == ['image', 'label', 'mask', 'overlay']
    worst, median, best = captured['titles']
    assert 'worst' in worst and worst.endswith('frame3') and '0.000' in worst
    assert 'median' in median and float(median.split()[2].rstrip(',')) in (0.4, 0.5)
    assert 'best' in best and best.endswith('frame4') and '0.900' in best


@pytest.mark.parametrize('count', [1, 2, 3, 7])
def test_no_frame_is_shown_twice(tmp_path, count, monkeypatch):
    titles = []
    monkeypatch.setattr(gallery_module, 'write_animation', lambda *_, **__: None)
    monkeypatch.setattr(gallery_module, 'write_sheet', lambda *values: titles.extend(values[3]))
    filled_gallery([i / 10 for i in range(count)]).write(tmp_path)
    assert len(titles) == len({title.split()[-1] for title in titles}) == min(count, 6)


def test_without_labels_the_sheet_is_an_even_sample(tmp_path):
    paths = filled_gallery([None] * 30, each=1).write(tmp_path)
    assert paths[0] == tmp_path / SHEET
    sheet = read_image(paths[0])
    assert shades(sheet) == [0, 14, 29]


def test_animation_is_an_even_sample_of_the_whole_run(tmp_path, monkeypatch):
    captured = []
    monkeypatch.setattr(
        gallery_module, 'write_animation', lambda path, frames, **_: captured.extend(frames)
    )
    paths = filled_gallery([None] * 35, longest=8).write(tmp_path)
    assert paths == [tmp_path / SHEET, tmp_path / ANIMATION]
    # The mask is all class 0, red 128, half of which lies over the frame's shade.
    assert [2 * frame[0, 0, 1].item() for frame in captured] == [0, 8, 16, 24, 32]


def test_missing_animation_support_is_a_warning(tmp_path, monkeypatch, log_lines):
    lines = log_lines('mbu_ros.evaluation.report.gallery')
    def fail(*_, **__):
        raise AnimationUnavailable('OpenCV is too old')

    monkeypatch.setattr(gallery_module, 'write_animation', fail)
    assert filled_gallery([0.5]).write(tmp_path) == [tmp_path / SHEET]
    assert any('OpenCV is too old' in line for line in lines)


def test_no_frame_no_picture(tmp_path):
    assert Gallery(CLASSES).write(tmp_path) == []
    assert os.listdir(tmp_path) == []
