# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Boundary F1 against outlines made by hand, and against distance transforms."""

import cv2
import numpy as np
import pytest

from mbu_ros.data.sample import IGNORE
from mbu_ros.errors import InputError
from mbu_ros.evaluation.boundary import BoundaryCounts


def halves(border, height=6, width=20):
    """Class 0 on the left of a border, class 1 on its right."""
    ids = np.zeros((height, width), np.uint8)
    ids[:, border:] = 1
    return ids


def counted(label, mask, classes=2, tolerances=(1, 3, 5)):
    counts = BoundaryCounts(classes, tolerances)
    counts.add(label, mask)
    return counts


def test_a_boundary_is_one_pixel_of_each_class_along_the_border():
    counts = counted(halves(10), halves(10))
    assert counts.label_pixels.tolist() == counts.mask_pixels.tolist() == [6, 6]
    assert (counts.f1() == 1).all() and (counts.mean_f1() == 1).all()


@pytest.mark.parametrize('shift, expected', [(1, [1, 1, 1]), (2, [0, 1, 1]), (4, [0, 0, 1])])
def test_a_shifted_boundary_counts_within_the_tolerance(shift, expected):
    counts = counted(halves(10), halves(10 + shift))
    assert counts.mean_f1().tolist() == expected
    assert counted(halves(10), halves(10 - shift)).mean_f1().tolist() == expected


def test_distances_are_euclidean():
    label, mask = np.zeros((2, 20, 20), np.uint8)
    label[8, 8] = mask[10, 10] = 1  # 2.83 pixels apart
    assert counted(label, mask, tolerances=(2, 3)).f1()[:, 1].tolist() == [0, 1]


def test_precision_and_recall():
    label, mask = halves(10), halves(10)
    mask[:, 2] = 1  # a line that is in no label: 6 pixels, none near the label's border
    counts = counted(label, mask, tolerances=(1,))
    assert counts.mask_pixels.tolist() == [18, 12]
    assert counts.precision()[0].tolist() == pytest.approx([6 / 18, 6 / 12])
    assert counts.recall()[0].tolist() == [1, 1]
    assert counts.f1()[0].tolist() == pytest.approx([2 * (1 / 3) / (4 / 3), 2 * 0.5 / 1.5])


def test_unlabelled_pixels_and_the_edge_of_the_image_are_no_boundary():
    label = halves(10)
    label[:, 8:12] = IGNORE
    counts = counted(label, halves(9))
    assert counts.label_pixels.tolist() == counts.mask_pixels.tolist() == [0, 0]
    assert np.isnan(counts.f1()).all() and np.isnan(counts.mean_f1()).all()


def test_a_boundary_of_the_mask_alone_or_of_the_label_alone_scores_zero():
    assert counted(np.zeros((6, 20), np.uint8), halves(10)).mean_f1().tolist() == [0, 0, 0]
    assert counted(halves(10), np.zeros((6, 20), np.uint8)).mean_f1().tolist() == [0, 0, 0]


def test_a_class_without_a_boundary_is_left_out_of_the_mean():
    counts = counted(halves(10), halves(10), classes=3)
    assert np.isnan(counts.f1()[:, 2]).all()
    assert counts.mean_f1().tolist() == [1, 1, 1]


def test_a_prediction_that_is_no_class_is_no_boundary():
    mask = halves(10)
    mask[mask == 1] = 77
    assert counted(halves(10), mask).mask_pixels.tolist() == [0, 0]


def test_frames_add_up():
    frames = [(halves(10), halves(11)), (halves(5), halves(9)), (halves(3), halves(3))]
    whole = BoundaryCounts(2)
    parts = BoundaryCounts(2)
    for label, mask in frames:
        whole.add(label, mask)
        parts = parts + counted(label, mask)
    assert (whole.f1() == parts.f1()).all() and 0 < whole.mean_f1()[0] < 1
    with pytest.raises(ValueError, match='other'):
        whole + BoundaryCounts(3)


def brute_force(boundary, other, tolerance, cls):
    here, there = boundary == cls, other == cls
    if not there.any():
        return 0
    distance = cv2.distanceTransform(
        (~there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    return int((here & (distance <= tolerance + 1e-3)).sum())


def outline(ids):
    """The class of each pixel with a direct neighbour of another class, pixel by pixel."""
    found = np.full(ids.shape, IGNORE, np.uint8)
    for y, x in np.argwhere(ids != IGNORE):
        neighbours = [ids[v, u] for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
                      if 0 <= v < ids.shape[0] and 0 <= u < ids.shape[1]]
        if any(n not in (IGNORE, ids[y, x]) for n in neighbours):
            found[y, x] = ids[y, x]
    return found


def test_counts_equal_those_of_distance_transforms():
    random = np.random.default_rng(5)
    small = random.choice(np.array([0, 1, 2, IGNORE], np.uint8), (8, 10))
    label = cv2.resize(small, (60, 40), interpolation=cv2.INTER_NEAREST)
    mask = np.roll(label, (2, 3), (0, 1))
    mask[random.random(mask.shape) < 0.02] = 1
    counts = counted(label, mask, classes=3, tolerances=(1, 2, 4, 7))
    of_label, of_mask = outline(label), outline(np.where(label == IGNORE, IGNORE, mask))
    for index, tolerance in enumerate(counts.tolerances):
        for cls in range(3):
            near = brute_force(of_mask, of_label, tolerance, cls)
            assert counts.mask_near[index, cls] == near
            near = brute_force(of_label, of_mask, tolerance, cls)
            assert counts.label_near[index, cls] == near
    assert counts.mask_pixels.min() > 0


@pytest.mark.parametrize('tolerances', [(), (0,), (31,), (1, 99)])
def test_tolerances_out_of_range(tolerances):
    with pytest.raises(InputError, match='1 to 30'):
        BoundaryCounts(2, tolerances)
