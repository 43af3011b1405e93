# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Temporal stability of pairs of frames made by hand."""

import numpy as np
import pytest

from mbu_ros.data.sample import IGNORE
from mbu_ros.evaluation.stability import StabilityCounts


def pair(mask_before, mask, label_before=None, label=None):
    frames = (mask_before, mask, label_before, label)
    return StabilityCounts.of_pair(
        *(None if frame is None else np.array([frame], np.uint8) for frame in frames)
    )


def test_flicker_is_change_where_the_label_stays():
    #              flickers, follows its label, stays, flickers
    counts = pair([0, 0, 1, 2], [1, 1, 1, 0], [0, 0, 1, 2], [0, 1, 1, 2])
    assert counts == StabilityCounts(pixels=4, changed=3, still=3, flickered=2)
    assert counts.change() == 0.75 and counts.flicker() == pytest.approx(2 / 3)


def test_unlabelled_pixels_are_not_still():
    counts = pair([0, 0], [1, 1], [IGNORE, 0], [IGNORE, IGNORE])
    assert (counts.changed, counts.still, counts.flicker()) == (2, 0, None)


@pytest.mark.parametrize('labels', [(None, None), ([0, 0], None), (None, [0, 0])])
def test_without_labels_there_is_change_alone(labels):
    counts = pair([0, 1], [0, 2], *labels)
    assert counts.change() == 0.5 and counts.flicker() is None


def test_masks_of_different_sizes_are_not_compared():
    counts = pair([0, 1], [0, 1, 2])
    assert counts == StabilityCounts() and counts.change() is None


def test_pairs_add_up():
    total = pair([0, 0], [1, 0], [0, 0], [0, 0]) + pair([0] * 6, [0] * 6, [1] * 6, [1] * 6)
    assert total == StabilityCounts(8, 1, 8, 1)
    assert total.flicker() == total.change() == 0.125
