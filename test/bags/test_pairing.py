# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels find their images by stamp, within a tolerance, one each."""

from __future__ import annotations

import pytest

from mbu_ros.bags.pairing import LABEL_DELAY, Labels, Stamped, pair

MS = 10**6


def pairs(
    images: list[int],
    labels: list[int],
    tolerance: int = 0,
    *,
    late: int = 0,
) -> dict[int, int]:
    """Stamp of the label that each image's stamp got, in ms; labels are logged `late` ms late."""
    track = Labels([Stamped(s * MS, (s + late) * MS, object()) for s in labels], None, None)
    stamped = [Stamped(s * MS, s * MS, object()) for s in images]
    found = {}
    for image, label in pair(stamped, track, tolerance * MS):
        if label is not None:
            found[image.stamp // MS] = label.stamp // MS
            label.message = None
    return found


def test_without_tolerance_stamps_must_be_equal():
    assert pairs([0, 100, 200], [0, 101, 200]) == {0: 0, 200: 200}


@pytest.mark.parametrize('late', [-400, 0, 400])
def test_an_image_takes_the_nearest_label_within_the_tolerance(late):
    labels = [3, 95, 108, 240]
    assert pairs([0, 100, 200], labels, 10, late=late) == {0: 3, 100: 95}


def test_a_label_goes_to_its_nearest_image_alone():
    # The first image comes first, but the label lies by the second.
    assert pairs([0, 33, 66], [30], 40) == {33: 30}
    assert pairs([0, 40], [20], 40) == {0: 20}  # equally near: the earlier one
    assert pairs([40], [20, 60], 40) == {40: 20}


def test_of_two_images_with_one_stamp_the_first_gets_the_label():
    track = Labels([Stamped(5, 5, object())], None, None)
    images = [Stamped(5, 5, object()), Stamped(5, 6, object())]
    got = []
    for _, label in pair(images, track, 0):
        got.append(label is not None)
        if label is not None:
            label.message = None
    assert got == [True, False]


def test_a_label_is_looked_for_within_a_bounded_time():
    limit = LABEL_DELAY // MS
    assert pairs([0, 100], [0], late=limit) == {0: 0}
    assert pairs([0, 100], [0], late=limit + 1) == {}


def test_what_is_held_does_not_grow():
    held = []
    track = Labels((Stamped(s, s, object()) for s in range(0, 10**12, 10**8)), None, None)
    images = (Stamped(s + 1, s, object()) for s in range(0, 10**12, 10**8))
    for _ in pair(images, track, 0):
        held.append(len(track._held))
    assert len(held) == 10**4
    assert max(held) <= 2 * LABEL_DELAY // 10**8 + 1
    track.finish()
    assert track.logged == 10**4


def test_of_labels_and_images_with_one_stamp_those_logged_together_are_pairs():
    track = Labels([Stamped(5, time * MS, time) for time in (0, 100, 200)], None, None)
    images = [Stamped(5, time * MS, object()) for time in (10, 90, 230)]
    found = [label and label.message for _, label in pair(images, track, 0)]
    assert found == [0, 100, 200]


def test_stamps_that_were_never_set_belong_to_no_label():
    def found(stamps):
        times = [100 * MS * index for index in range(len(stamps))]
        track = Labels([Stamped(s, t, object()) for s, t in zip(stamps, times)], None, None)
        images = [Stamped(s, t, object()) for s, t in zip(stamps, times)]
        return [label is not None for _, label in pair(images, track, 0)]

    assert found([0] * 30) == [False] * 30
    # The first moment of a simulation.
    assert found([0, 100 * MS, 200 * MS]) == [True] * 3
