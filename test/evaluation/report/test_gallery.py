# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames a gallery keeps, whatever the order and the division of the work."""

from dataclasses import replace

import numpy as np
import pytest

from mbu_ros.data.sample import Sample
from mbu_ros.evaluation.report.gallery import Gallery

from .runs import CLASSES, SECOND

MASK = np.zeros((6, 8), np.uint8)


def sample(index, stamp=None, name=None):
    image = np.full((6, 8, 3), index % 256, np.uint8)
    return Sample(name or f'frame{index:04d}', image, None, None, stamp)


def filled(scores, stamps=None, sequence='', **options):
    gallery = Gallery(CLASSES, **options)
    for index, score in enumerate(scores):
        stamp = stamps[index] if stamps else index * SECOND // 10
        gallery.add(sample(index, stamp), MASK, score, sequence=sequence)
    return gallery


def shown(gallery):
    return [(kind, frame.place) for kind, frame in gallery.chosen()]


def names(frames):
    return [frame.place.name for frame in frames]


def test_worst_median_and_best_are_chosen_by_score():
    order = [5, 3, 8, 0, 9, 1, 7, 2, 6, 4]
    chosen = filled([i / 10 for i in order], each=1).chosen()
    kinds = dict(chosen)
    assert names([kinds['worst'], kinds['best']]) == ['frame0003', 'frame0004']
    assert kinds['median'].score in (0.4, 0.5)


@pytest.mark.parametrize('count', [1, 2, 3, 7])
def test_no_frame_is_shown_twice(count):
    chosen = names(frame for _, frame in filled([i / 10 for i in range(count)]).chosen())
    assert len(chosen) == len(set(chosen)) == min(count, 6)


def test_frames_of_one_score_are_ordered_by_place():
    chosen = filled([0.5] * 9, each=2).chosen()
    by_kind = [name for kind, frame in chosen if kind == 'worst' for name in names([frame])]
    assert by_kind == ['frame0000', 'frame0001']


def test_nan_is_no_score():
    assert [kind for kind, _ in filled([float('nan'), None]).chosen()] == ['', '']


def test_the_sample_is_even_over_the_whole_run():
    even = filled([None] * 1000, longest=40).even()
    assert 20 <= len(even) <= 40
    times = np.array([frame.place.time for frame in even]) / SECOND
    assert times[0] == 0 and times[-1] > 95
    assert np.diff(times).max() < 2 * np.diff(times).mean()


def test_a_short_run_is_kept_whole():
    assert names(filled([None] * 12).even()) == [f'frame{i:04d}' for i in range(12)]


def test_without_a_clock_the_sample_is_bounded_and_in_order():
    gallery = Gallery(CLASSES, longest=10)
    for index in range(300):
        gallery.add(sample(index), MASK)
    even = names(gallery.even())
    assert 4 <= len(even) <= 10 and even == sorted(even)


def test_more_sequences_than_frames_to_keep():
    gallery = Gallery(CLASSES, longest=5)
    for index in range(20):
        for time in (0, 1):
            gallery.add(sample(time, time * SECOND), MASK, sequence=f'{index:02d}')
    assert [frame.place.sequence for frame in gallery.even()] == ['00', '01', '02', '03', '04']


def test_broken_stamps_do_no_harm():
    stamps = [0, 0, -5 * SECOND, 2**62, -1, 0]
    gallery = filled([0.1 * i for i in range(6)], stamps, longest=2)
    assert 1 <= len(gallery.even()) <= 3
    assert len(gallery.chosen()) >= 4


def merged(frames, borders, settings):
    total = None
    for start, stop in zip([0, *borders], [*borders, len(frames)]):
        part = Gallery(CLASSES, **settings)
        for one, mask, score, sequence in frames[start:stop]:
            part.add(one, mask, score, sequence=sequence)
        arrays = part.arrays()
        assert all(array.dtype != object for array in arrays.values())
        part = Gallery.from_arrays(CLASSES, arrays, **settings)
        if total is None:
            total = part
        else:
            total.merge(part)
    return total


@pytest.mark.parametrize('seed', range(6))
def test_parts_merge_into_the_gallery_of_the_whole(seed):
    random = np.random.default_rng(seed)
    settings = {'each': 2, 'longest': 7}
    frames = [
        (
            sample(i, int(random.integers(0, 60 * SECOND)) if seed % 2 else None),
            random.integers(0, 3, (6, 8), np.uint8),
            random.choice([None, *np.round(random.random(3), 1)]),
            random.choice(['a', 'b', 'c']),
        )
        for i in range(80)
    ]
    whole = merged(frames, [], settings)
    for borders in ([1], [40], [1, 2, 3], [79], [10, 20, 30, 40, 50, 60, 70]):
        divided = merged(frames, borders, settings)
        assert shown(divided) == shown(whole)
        assert divided.even() == whole.even()  # pictures and all
    shuffled = [frames[i] for i in random.permutation(len(frames))]
    assert merged(shuffled, [25], settings).even() == whole.even()


def test_pictures_come_back_as_they_were_given():
    label = np.random.default_rng(0).integers(0, 3, (6, 8), np.uint8)
    label[0, 0] = 255
    gallery = Gallery(CLASSES)
    image = np.full((6, 8, 3), (200, 100, 50), np.uint8)
    gallery.add(Sample('a', image, label), MASK, 0.5)
    (kept,) = gallery.even()
    assert np.array_equal(kept.label(), label) and np.array_equal(kept.mask(), MASK)
    assert np.abs(kept.image().astype(int) - image).max() <= 3  # JPEG


def test_large_frames_are_scaled_down():
    gallery = Gallery(CLASSES, width=16)
    mask = np.zeros((20, 40), np.uint8)
    gallery.add(Sample('a', np.zeros((20, 40, 3), np.uint8), mask), mask, 1.0)
    (kept,) = gallery.even()
    assert kept.image().shape == (8, 16, 3) and kept.label().shape == (8, 16)


def test_frames_of_one_stamp_are_different_frames():
    def gather(indices):
        gallery = Gallery(CLASSES, each=1)
        for index in indices:
            frame = replace(sample(index, 0, name='0.0'), logged=(index // 2 * SECOND, index % 2))
            gallery.add(frame, MASK, index / 10)
        return gallery

    halves = gather(range(5))
    halves.merge(Gallery.from_arrays(CLASSES, gather(range(5, 10)).arrays(), each=1))
    for gallery in (gather(range(10)), halves):
        scores = [(kind, frame.score) for kind, frame in gallery.chosen()]
        assert scores[0] == ('worst', 0.0) and scores[-1] == ('best', 0.9) and len(scores) == 3
        assert len(gallery.even()) == 5  # one a second
