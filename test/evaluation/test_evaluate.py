# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of frames by an engine whose masks are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.engine.base import Segmentation
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.classes import check_against, check_classes
from mbu_ros.evaluation.evaluate import evaluate

CLASSES = ClassMap(('dark', 'bright'), ((0, 0, 0), (255, 255, 255)))


class ThresholdEngine:
    """Calls a pixel bright where its red is above a limit."""

    model = SimpleNamespace(name='threshold', classes=CLASSES)

    def __init__(self, limit=127):
        self.calls = 0
        self.limit = limit

    def segment(self, frames, *, confidence=False):
        self.calls += 1
        times = {'resize': 1.0, 'network': float(self.calls), 'mask': 0.5}
        return [
            Segmentation((f[..., 0] > self.limit).astype(np.uint8), None, times) for f in frames
        ]


def sample(name, values, label=None, time=None):
    red = np.array([values], np.uint8)
    image = np.dstack([red, red, red])
    return Sample(name, image, None if label is None else np.array([label], np.uint8), time)


def run(samples, engine=None, *, against=None, **options):
    evaluation = Evaluation(CLASSES, against=against is not None)
    evaluate(samples, engine or ThresholdEngine(), evaluation, against=against, **options)
    return evaluation


def test_figures_are_those_of_all_pixels_together():
    evaluation = run([
        sample('a', [0, 200, 200], [0, 1, 1], 0.0),
        sample('b', [0, 200, 200], [0, 0, IGNORE], 0.1),
    ])
    assert evaluation.confusion.counts.tolist() == [[2, 1], [0, 2]]
    assert evaluation.confusion.miou() == pytest.approx(2 / 3)
    assert evaluation.labelled_frames == 2
    assert [(r.name, r.time, r.pixel_accuracy, r.miou) for r in evaluation.records] == [
        ('a', 0.0, 1.0, 1.0),
        ('b', 0.1, 0.5, 0.25),
    ]


def test_the_warm_up_does_not_count():
    engine = ThresholdEngine()
    evaluation = run([sample('a', [0]), sample('b', [0])], engine)
    assert engine.calls == 3
    assert evaluation.stages == {
        'resize': [1.0, 1.0], 'network': [2.0, 3.0], 'mask': [0.5, 0.5]
    }
    assert all(record.latency_ms > 0 for record in evaluation.records)


def test_an_engine_that_is_warm_runs_once_per_frame():
    engine = ThresholdEngine()
    run([sample('a', [0]), sample('b', [0])], engine, warm_up=False)
    assert engine.calls == 2


def test_frames_without_labels_among_others_are_not_counted_as_labelled():
    evaluation = run([sample('a', [0, 200], [0, 1]), sample('b', [0, 200])])
    assert len(evaluation.records) == 2 and evaluation.labelled_frames == 1
    assert evaluation.confusion.pixel_accuracy() == 1.0


def test_masks_of_another_model_are_compared():
    evaluation = run([sample('a', [0, 100, 150, 200])], against=ThresholdEngine(180))
    # Rows are the other model's masks.
    assert evaluation.agreement.counts.tolist() == [[2, 1], [0, 1]]
    assert evaluation.records[0].agreement == 0.75
    assert len(evaluation.stages['network']) == 1  # times are those of the first model alone


def test_each_mask_is_handed_out():
    kept = []
    run(
        [sample('a', [0, 200]), sample('b', [200, 0])],
        keep=lambda frame, mask: kept.append((frame.name, mask.tolist())),
    )
    assert kept == [('a', [[0, 1]]), ('b', [[1, 0]])]


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

    run(stream(), Watching())
    assert seen == [1, *range(1, 201)]


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


def test_two_models_must_have_the_same_classes():
    check_against(CLASSES, ClassMap(CLASSES.names, ((9, 9, 9), (8, 8, 8))))
    with pytest.raises(InputError, match=r'--model 2 \(dark, bright\), --against 1 \(a\)'):
        check_against(CLASSES, ClassMap(('a',), ((0, 0, 0),)))
