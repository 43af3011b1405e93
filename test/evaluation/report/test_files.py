# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a report: which files, what is in frames.csv, and a disk that is full."""

import csv
import json
import os

import numpy as np
import pytest

from mbu_ros.data.files import read_image
from mbu_ros.data.sample import Sample
from mbu_ros.errors import InputError
from mbu_ros.evaluation.frame_record import FrameRecord
from mbu_ros.evaluation.report import gallery_files
from mbu_ros.evaluation.report.files import write_frames, write_report
from mbu_ros.evaluation.report.gallery import Gallery
from mbu_ros.evaluation.report.gallery_files import ANIMATION, SHEET, write_gallery
from mbu_ros.evaluation.report.report import build_report
from mbu_ros.imaging.sheet import AnimationUnavailable

from .runs import CLASSES, evaluate, facts, whole_report


def test_a_report_is_a_folder_of_files(tmp_path):
    pytest.importorskip('matplotlib')
    evaluation, report = whole_report()
    paths = write_report(tmp_path / 'new', evaluation, report)
    names = ['report.json', 'frames.csv', 'report.html', SHEET]
    assert [path.name for path in paths][:4] == names
    assert sorted(os.listdir(tmp_path / 'new')) == sorted(path.name for path in paths)
    assert json.loads(paths[0].read_text()) == report
    assert len(paths[1].read_text().splitlines()) == 1 + len(evaluation.records)


def test_without_a_gallery_there_are_no_pictures(tmp_path):
    pytest.importorskip('matplotlib')
    evaluation = evaluate(2, pictures=False)
    paths = write_report(tmp_path, evaluation, build_report(evaluation, facts()))
    assert [path.name for path in paths] == ['report.json', 'frames.csv', 'report.html']


def test_a_full_disk_is_one_input_error(tmp_path, monkeypatch):
    pytest.importorskip('matplotlib')
    evaluation, report = whole_report()

    def fail(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(InputError, match='No space left'):
        write_report(tmp_path, evaluation, report)
    assert os.listdir(tmp_path) == []


def test_frames_csv_has_a_line_per_frame(tmp_path):
    path = tmp_path / 'frames.csv'
    record = FrameRecord('cam,1', 'a', 5, 0.5, 0.9, 0.25, (0.5, None), 0.1, 0.2, None, 12.25)
    write_frames(path, [record, FrameRecord('', 'b"c')], (1, 3))
    first, second = csv.DictReader(path.open())
    assert first == {
        'sequence': 'cam,1',
        'name': 'a',
        'stamp_ns': '5',
        'time_s': '0.500000',
        'pixel_accuracy': '0.900000',
        'miou': '0.250000',
        'boundary_f1_1px': '0.500000',
        'boundary_f1_3px': '',
        'flicker': '0.100000',
        'change': '0.200000',
        'agreement': '',
        'latency_ms': '12.250000',
    }
    assert second.pop('name') == 'b"c' and set(second.values()) == {''}


def test_names_that_are_no_unicode_are_written(tmp_path):
    write_frames(tmp_path / 'frames.csv', [FrameRecord('', 'a\udce4')])
    assert (tmp_path / 'frames.csv').read_text().splitlines()[1].startswith(',a?')


def shade(index):
    return np.full((12, 16, 3), index, np.uint8)


def grey_gallery(count, **options):
    """A gallery of frames whose image is one shade of grey, the frame's number."""
    gallery = Gallery(CLASSES, **options)
    for index in range(count):
        sample = Sample(f'frame{index}', shade(index), None, float(index))
        gallery.add(sample, np.zeros((12, 16), np.uint8))
    return gallery


def test_the_sheet_shows_an_even_sample(tmp_path):
    sheet = read_image(write_gallery(tmp_path, grey_gallery(3, each=1))[0])
    column = sheet[:, 16].astype(int)
    grey = (np.ptp(column, axis=1) == 0) & (column[:, 0] < 40)
    assert sorted(set(column[grey, 0])) == [0, 1, 2]


def test_titles_say_what_a_frame_is(tmp_path, monkeypatch):
    captured = {}

    def capture(path, rows, columns, titles, classes):
        captured.update(columns=columns, titles=titles)

    monkeypatch.setattr(gallery_files, 'write_sheet', capture)
    monkeypatch.setattr(gallery_files, 'write_animation', lambda *_, **__: None)
    write_gallery(tmp_path, evaluate(5, sequences=('cam',)).gallery)
    assert captured['columns'] == ['image', 'label', 'mask', 'overlay']
    assert captured['titles'][0].startswith('worst: mIoU 0.')
    assert captured['titles'][0].split(', ')[1].startswith('cam frame')


def test_the_animation_has_one_size(tmp_path, monkeypatch):
    gallery = grey_gallery(3)
    large = Sample('zlarge', np.zeros((24, 32, 3), np.uint8), None, 9.0)
    gallery.add(large, np.zeros((24, 32), np.uint8))
    captured = []
    monkeypatch.setattr(
        gallery_files, 'write_animation', lambda path, frames, **_: captured.extend(frames)
    )
    assert write_gallery(tmp_path, gallery) == [tmp_path / SHEET, tmp_path / ANIMATION]
    assert [frame.shape for frame in captured] == [(12, 16, 3)] * 3


def test_missing_animation_support_is_a_warning(tmp_path, monkeypatch, log_lines):
    lines = log_lines('mbu_ros.evaluation.report.gallery_files')

    def fail(*_, **__):
        raise AnimationUnavailable('OpenCV is too old')

    monkeypatch.setattr(gallery_files, 'write_animation', fail)
    assert write_gallery(tmp_path, grey_gallery(1)) == [tmp_path / SHEET]
    assert any('OpenCV is too old' in line for line in lines)


def test_no_frame_no_picture(tmp_path):
    assert write_gallery(tmp_path, Gallery(CLASSES)) == []
    assert os.listdir(tmp_path) == []
