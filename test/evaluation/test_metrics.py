# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics against confusion matrices made by hand."""

import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.evaluation.latency import latency_summary, percentiles
from mbu_ros.evaluation.metrics import (
    ConfusionMatrix,
    class_f1,
    class_iou,
    class_precision,
    class_recall,
    mean_iou,
    pixel_accuracy,
)


def count(classes, label, prediction):
    matrix = ConfusionMatrix(classes)
    matrix.add(np.array(label, np.uint8), np.array(prediction, np.uint8))
    return matrix


def test_figures_of_a_matrix_made_by_hand():
    counts = np.array([[50, 10, 0], [5, 20, 5], [0, 0, 10]], np.int64)
    iou = class_iou(counts, np.zeros(3, np.int64))
    assert iou.tolist() == pytest.approx([50 / 65, 20 / 40, 10 / 15])
    assert mean_iou(iou) == pytest.approx((50 / 65 + 20 / 40 + 10 / 15) / 3)
    assert pixel_accuracy(counts, np.zeros(3, np.int64)) == pytest.approx(80 / 100)


def test_rows_are_labels_and_columns_predictions():
    matrix = count(3, [[0, 0, 1], [2, 2, 2]], [[0, 1, 1], [2, 2, 0]])
    assert matrix.counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert matrix.counts.dtype == np.int64
    assert matrix.pixels == 6
    assert matrix.iou().tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 3])
    assert matrix.miou() == pytest.approx(0.5)
    assert matrix.pixel_accuracy() == pytest.approx(4 / 6)


def test_unlabelled_pixels_count_nowhere():
    matrix = count(2, [[0, 255], [255, 1]], [[0, 1], [255, 1]])
    assert matrix.counts.tolist() == [[1, 0], [0, 1]]
    assert matrix.unpredicted.tolist() == [0, 0]
    assert matrix.miou() == 1.0 and matrix.pixel_accuracy() == 1.0


@pytest.mark.parametrize('none', [2, 200, 255])
def test_a_prediction_that_is_no_class_is_wrong(none):
    matrix = count(2, [[0, 0, 1, 1]], [[0, none, 1, 1]])
    assert matrix.counts.tolist() == [[1, 0], [0, 2]]
    assert matrix.unpredicted.tolist() == [1, 0]
    assert matrix.iou().tolist() == [0.5, 1.0]
    assert matrix.pixel_accuracy() == 0.75


def test_an_absent_class_is_undefined_and_left_out_of_the_mean():
    matrix = count(3, [[0, 0, 1, 1]], [[0, 0, 1, 0]])
    iou = matrix.iou()
    assert iou[:2].tolist() == pytest.approx([2 / 3, 1 / 2]) and np.isnan(iou[2])
    assert matrix.miou() == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_class_that_is_only_predicted_has_iou_zero():
    matrix = count(2, [[0, 0]], [[0, 1]])
    assert matrix.iou().tolist() == [0.5, 0.0]
    assert matrix.miou() == 0.25


@pytest.mark.filterwarnings('error')
def test_nothing_counted_is_undefined():
    for matrix in (ConfusionMatrix(2), count(2, [[255]], [[0]])):
        assert np.isnan(matrix.iou()).all()
        assert np.isnan(matrix.miou()) and np.isnan(matrix.pixel_accuracy())


def test_matrices_add_up():
    random = np.random.default_rng(0)
    label = random.choice(np.array([0, 1, 2, 255], np.uint8), (8, 9))
    prediction = random.choice(np.array([0, 1, 2, 255], np.uint8), (8, 9))
    whole = count(3, label, prediction)
    parts = count(3, label[:3], prediction[:3]) + count(3, label[3:], prediction[3:])
    assert (parts.counts == whole.counts).all()
    assert (parts.unpredicted == whole.unpredicted).all()
    with pytest.raises(ValueError, match='3 and 4'):
        whole + ConfusionMatrix(4)


def test_frames_add_up():
    matrix = ConfusionMatrix(2)
    labels = [[0, 0, 1], [1, 1, 0], [1, 1, 1]]
    masks = [[0, 1, 1], [1, 255, 0], [255, 0, 1]]
    for label, prediction in zip(labels, masks):
        matrix.add(np.uint8([label]), np.uint8([prediction]))
    assert matrix.counts.tolist() == [[2, 1], [1, 3]]
    assert matrix.unpredicted.tolist() == [0, 2] and matrix.unpredicted.dtype == np.int64
    assert matrix.pixels == 9


@pytest.mark.parametrize('classes', [-1, 0, 255, 256])
def test_numbers_of_classes_that_labels_cannot_tell_apart_are_refused(classes):
    with pytest.raises(ValueError, match=f'^{classes} classes; there must be 1 to 254$'):
        ConfusionMatrix(classes)


def test_a_single_class():
    assert count(1, [[0, 0]], [[0, 255]]).iou().tolist() == [0.5]


def test_most_classes_that_fit_in_eight_bits():
    matrix = count(254, [[253, 0]], [[253, 255]])
    assert matrix.counts[253, 253] == 1 and matrix.unpredicted[0] == 1


def test_sizes_that_differ_are_refused():
    with pytest.raises(InputError, match='label is 3x2 but the mask 2x2'):
        count(2, [[0, 0, 0], [0, 0, 0]], [[0, 0], [0, 0]])


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(InputError, match=r'label value 2 .* 2 classes \(0 to 1\) nor 255'):
        count(2, [[0, 2]], [[0, 0]])


def test_percentiles_interpolate_and_are_none_without_values():
    assert percentiles(range(101)) == {'p50': 50.0, 'p95': 95.0, 'p99': 99.0}
    assert percentiles([1.0, 2.0])['p50'] == 1.5
    assert percentiles([]) == {'p50': None, 'p95': None, 'p99': None}


def test_precision_recall_and_f1_of_a_matrix_made_by_hand():
    counts = np.array([[50, 10, 0], [5, 20, 5], [0, 0, 10]], np.int64)
    unpredicted = np.array([0, 10, 0], np.int64)
    precision = class_precision(counts)
    recall = class_recall(counts, unpredicted)
    assert precision.tolist() == pytest.approx([50 / 55, 20 / 30, 10 / 15])
    assert recall.tolist() == pytest.approx([50 / 60, 20 / 40, 10 / 10])
    harmonic = 2 * precision * recall / (precision + recall)
    assert class_f1(counts, unpredicted).tolist() == pytest.approx(harmonic.tolist())


def test_frequency_weighted_iou_weighs_with_labelled_pixels():
    matrix = count(3, [[0, 0, 0, 1]], [[0, 0, 1, 1]])
    assert matrix.iou()[:2].tolist() == pytest.approx([2 / 3, 1 / 2])
    assert matrix.frequency_weighted_iou() == pytest.approx(3 / 4 * 2 / 3 + 1 / 4 * 1 / 2)
    matrix = count(2, [[0, 0, 0, 1]], [[0, 0, 255, 1]])  # no class, but labelled
    assert matrix.frequency_weighted_iou() == pytest.approx(3 / 4 * 2 / 3 + 1 / 4 * 1)


def test_a_class_that_is_never_predicted_or_never_labelled():
    matrix = count(3, [[0, 0]], [[0, 1]])
    assert matrix.precision()[:2].tolist() == [1.0, 0.0] and np.isnan(matrix.precision()[2])
    assert matrix.recall()[0] == 0.5 and np.isnan(matrix.recall()[1:]).all()
    assert matrix.f1()[:2].tolist() == pytest.approx([2 / 3, 0.0]) and np.isnan(matrix.f1()[2])


@pytest.mark.filterwarnings('error')
def test_nothing_counted_leaves_the_other_figures_undefined_too():
    matrix = ConfusionMatrix(2)
    for figures in (matrix.precision(), matrix.recall(), matrix.f1()):
        assert np.isnan(figures).all()
    assert np.isnan(matrix.frequency_weighted_iou())


def test_latency_summary():
    summary = latency_summary([10.0, 30.0, 20.0])
    assert list(summary) == ['count', 'min', 'mean', 'p50', 'p95', 'p99', 'max', 'jitter']
    assert (summary['count'], summary['min'], summary['mean']) == (3, 10.0, 20.0)
    assert (summary['p50'], summary['max'], summary['jitter']) == (20.0, 30.0, 15.0)
    assert summary['p95'] == pytest.approx(29.0)


def test_latency_summary_of_too_few_values():
    assert latency_summary([5.0])['jitter'] is None and latency_summary([5.0])['mean'] == 5.0
    empty = latency_summary(iter([]))
    assert empty.pop('count') == 0 and set(empty.values()) == {None}
