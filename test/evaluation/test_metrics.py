# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics against confusion matrices made by hand."""

import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.evaluation.latency import percentiles
from mbu_ros.evaluation.metrics import ConfusionMatrix, class_iou, mean_iou, pixel_accuracy


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


def test_most_classes_that_fit_in_eight_bits():
    matrix = count(254, [[253, 0]], [[253, 255]])
    assert matrix.counts[253, 253] == 1 and matrix.unpredicted[0] == 1


def test_sizes_that_differ_are_refused():
    with pytest.raises(InputError, match='label is 3x2 but the mask 2x2'):
        count(2, [[0, 0, 0], [0, 0, 0]], [[0, 0], [0, 0]])


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(InputError, match='label value 2 .* 2 classes'):
        count(2, [[0, 2]], [[0, 0]])


def test_percentiles_interpolate_and_are_none_without_values():
    assert percentiles(range(101)) == {'p50': 50.0, 'p95': 95.0, 'p99': 99.0}
    assert percentiles([1.0, 2.0])['p50'] == 1.5
    assert percentiles([]) == {'p50': None, 'p95': None, 'p99': None}
