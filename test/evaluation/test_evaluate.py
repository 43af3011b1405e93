# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation with an engine whose masks are known."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.engine.base import Segmentation
from mbu_ros.errors import InputError
from mbu_ros.evaluation.evaluate import Evaluation, check_classes, evaluate

CLASSES = ClassMap(('dark', 'bright'), ((0, 0, 0), (255, 255, 255)))


class ThresholdEngine:
    """Calls a pixel bright where its red is 128 or more."""

    name = 'threshold'
    device = 'this test'
    model = SimpleNamespace(name='threshold', classes=CLASSES)

    def __init__(self):
        self.calls = 0

    def segment(self, frames, *, confidence=False):
        self.calls += 1
        times = {'resize': 1.0, 'network': float(self.calls), 'mask': 0.5}
        return [Segmentation((f[..., 0] >= 128).astype(np.uint8), None, times) for f in frames]


def sample(name, values, label=None, time=None):
    red = np.array([values], np.uint8)
    image = np.dstack([red, red, red])
    return Sample(name, image, None if label is None else np.array([label], np.uint8), time)


def run(samples, **options):
    engine = ThresholdEngine()
    evaluation = evaluate(samples, engine, console=Console(file=io.StringIO()), **options)
    report = evaluation.report(
        mode='offline', source='s', model='m', engine='e', device='d', frames_in=3
    )
    return evaluation, report, engine


def test_figures_are_those_of_all_pixels_together():
    evaluation, report, _ = run([
        sample('a', [0, 200, 200], [0, 1, 1], 0.0),
        sample('b', [0, 200, 200], [0, 0, IGNORE], 0.1),
    ])
    assert report['confusion']['counts'] == [[2, 1], [0, 2]]
    assert report['miou'] == pytest.approx(2 / 3)
    assert report['iou'] == {'dark': pytest.approx(2 / 3), 'bright': pytest.approx(2 / 3)}
    assert report['pixel_accuracy'] == 0.8
    assert (report['frames'], report['labelled_frames'], report['frames_dropped']) == (2, 2, 1)
    assert [(r.name, r.time, r.pixel_accuracy, r.miou) for r in evaluation.records] == [
        ('a', 0.0, 1.0, 1.0),
        ('b', 0.1, 0.5, 0.25),
    ]


def test_the_warm_up_does_not_count():
    evaluation, report, engine = run([sample('a', [0]), sample('b', [0])])
    assert engine.calls == 3
    assert list(report['stages_ms']) == ['resize', 'network', 'mask']
    assert report['stages_ms']['network']['p50'] == 2.5  # calls 2 and 3, not the first
    assert all(record.latency_ms > 0 for record in evaluation.records)


def test_without_labels_everything_but_accuracy():
    _, report, _ = run([sample('a', [0, 200])])
    assert report['frames'] == 1 and report['labelled_frames'] == 0
    assert report['miou'] is None and report['iou'] == {'dark': None, 'bright': None}
    assert report['latency_ms']['p99'] > 0


def test_frames_without_labels_among_others_are_not_counted_as_labelled():
    _, report, _ = run([sample('a', [0, 200], [0, 1]), sample('b', [0, 200])])
    assert report['frames'] == 2 and report['labelled_frames'] == 1
    assert report['pixel_accuracy'] == 1.0


def test_stage_percentiles_measured_elsewhere_are_taken_over():
    evaluation, _, _ = run([sample('a', [0])])
    stages = {'wait': {'p50': 1.0, 'p95': 2.0, 'p99': 3.0}}
    live = evaluation.report(
        mode='live', source='s', model='m', engine='e', device='d', frames_in=1, stages_ms=stages
    )
    assert live['stages_ms'] == stages and live['mode'] == 'live'


def test_samples_are_read_one_at_a_time():
    alive = []

    def stream():
        for i in range(200):
            alive.append(i)
            yield sample(f'{i}', [i], [0])

    seen = []

    class Watching(ThresholdEngine):
        def segment(self, frames, *, confidence=False):
            seen.append(len(alive))
            return super().segment(frames)

    evaluate(stream(), Watching(), console=Console(file=io.StringIO()))
    assert seen == [1, *range(1, 201)]


def test_no_frame_is_an_error():
    with pytest.raises(InputError, match='no frame'):
        run([])


def test_a_label_of_another_size_names_its_frame():
    with pytest.raises(InputError, match='frame b: .*2x1.*3x1'):
        run([sample('a', [0], [0]), sample('b', [0, 0, 0], [0, 0])])


def test_a_refused_frame_leaves_nothing_behind():
    evaluation = Evaluation(CLASSES)
    for label in ([0, 0], [0, 0, 2]):  # of another size, of no class
        with pytest.raises(InputError):
            evaluation.add(sample('a', [0, 0, 0], label), np.zeros((1, 3), np.uint8))
    assert evaluation.records == [] and evaluation.labelled_frames == 0
    assert evaluation.confusion.pixels == 0


def test_classes_must_agree():
    check_classes(None, CLASSES)
    check_classes(ClassMap(CLASSES.names, ((9, 9, 9), (8, 8, 8))), CLASSES)
    with pytest.raises(InputError, match=r'data 3 \(a, b, c\), the model 2 \(dark, bright\)'):
        check_classes(ClassMap(('a', 'b', 'c'), ((0, 0, 0),) * 3), CLASSES)
    with pytest.raises(InputError, match=r'\(bright, dark\), the model 2 \(dark, bright\)'):
        check_classes(ClassMap(('bright', 'dark'), CLASSES.colors), CLASSES)


def test_report_folder_has_report_frames_and_pictures(tmp_path):
    samples = [sample(f'{i}', [0, 200, 0, 200] * 8, [0, 1, 1, 1] * 8) for i in range(3)]
    evaluation, report, _ = run(samples, pictures=True)
    paths = evaluation.write_folder(tmp_path / 'new', report)
    assert [path.name for path in paths][:3] == ['report.json', 'frames.csv', 'overlays.png']
    assert all(path.stat().st_size for path in paths)
    assert json.loads(paths[0].read_text()) == report
    assert len(paths[1].read_text().splitlines()) == 4
