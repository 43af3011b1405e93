# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation gathers, and that parts of it merge into the whole, also through files."""

import json
from dataclasses import astuple

import numpy as np
import pytest

from mbu_ros.data.sample import IGNORE, ClassMap, Sample
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation

CLASSES = ClassMap(('road', 'sky', 'car'), ((128, 0, 0), (0, 128, 0), (0, 0, 128)))
SECOND = 10**9


def frame(index, *, label=True, sequence_start=0, shape=(24, 32)):
    """A frame of a film, its mask and another model's mask, drawn by its number."""
    random = np.random.default_rng(index)
    image = random.integers(0, 256, (*shape, 3), np.uint8)
    truth = np.zeros(shape, np.uint8)
    truth[: 4 + index % 5] = 1
    truth[-3:, :index % 9] = 2
    truth[-1] = IGNORE
    noisy = random.random(shape)
    mask = np.where(noisy < 0.1, 2, np.where(truth == IGNORE, 0, truth)).astype(np.uint8)
    other = np.where(noisy > 0.8, 0, mask).astype(np.uint8)
    stamp = sequence_start + index * SECOND // 10
    sample = Sample(f'f{index}', image, truth if label else None, 99.0, stamp)
    return sample, mask, other


def gather(numbers, sequence='front', **options):
    evaluation = Evaluation(CLASSES, pictures=True, against=True, **options)
    for number in numbers:
        add(evaluation, number, sequence)
    return evaluation


def add(evaluation, number, sequence='front'):
    sample, mask, other = frame(number, label=number % 7 != 3, sequence_start=5 * SECOND)
    evaluation.add(
        sample,
        mask,
        sequence=sequence,
        latency_ms=float(number),
        stages_ms={'network': number / 3},
        other_mask=other,
    )


def state(evaluation):
    """All that an evaluation holds, to compare with =="""
    return {
        'confusion': evaluation.confusion.counts.tolist(),
        'boundary': [
            getattr(evaluation.boundary, name).tolist()
            for name in ('mask_pixels', 'label_pixels', 'mask_near', 'label_near')
        ] if evaluation.boundary else None,
        'stability': astuple(evaluation.stability),
        'agreement': evaluation.agreement.counts.tolist(),
        'records': evaluation.records,
        'labelled': evaluation.labelled_frames,
        'stages': evaluation.stages,
        'sequences': {
            name: matrix.counts.tolist() for name, matrix in evaluation.by_sequence.items()
        },
        'gallery': {k: v.tolist() for k, v in evaluation.gallery.arrays().items()},
    }


def test_what_is_known_of_each_frame():
    evaluation = gather(range(3))
    first, second, _ = evaluation.records
    assert (first.sequence, first.name, first.stamp) == ('front', 'f0', 5 * SECOND)
    # The time of a frame with a stamp counts from its sequence's first stamp.
    assert [record.time for record in evaluation.records] == [0.0, 0.1, 0.2]
    assert 0 < first.pixel_accuracy < 1 and 0 < first.miou < 1
    assert len(first.boundary_f1) == 3 and 0 < first.boundary_f1[0] <= 1
    assert 0 < first.agreement < 1
    assert first.flicker is first.change is None
    assert 0 < second.flicker < 1 and 0 < second.change < 1
    assert second.latency_ms == 1.0 and evaluation.stages == {'network': [0.0, 1 / 3, 2 / 3]}


def test_totals_are_those_of_all_pixels_together():
    evaluation = gather([0, 1])
    masks = [frame(number)[1] for number in (0, 1)]
    labels = [frame(number)[0].label for number in (0, 1)]
    labelled = np.stack(labels) != IGNORE
    right = (np.stack(labels) == np.stack(masks)) & labelled
    assert evaluation.confusion.pixel_accuracy() == right.sum() / labelled.sum()
    others = np.stack([frame(number)[2] for number in (0, 1)])
    assert evaluation.agreement.pixel_accuracy() == (others == np.stack(masks)).mean()
    assert evaluation.stability.change() == (masks[0] != masks[1]).mean()


def test_a_frame_without_a_label():
    evaluation = gather([3, 4])
    unlabelled, labelled = evaluation.records
    assert unlabelled.miou is unlabelled.pixel_accuracy is None
    assert unlabelled.boundary_f1 == (None, None, None)
    assert labelled.flicker is None and labelled.change > 0  # of no labels there is no flicker
    assert evaluation.labelled_frames == 1


def test_a_label_that_is_all_unlabelled_leaves_figures_undefined_and_not_nan():
    evaluation = Evaluation(CLASSES)
    blank = Sample('a', np.zeros((4, 4, 3), np.uint8), np.full((4, 4), IGNORE, np.uint8))
    evaluation.add(blank, np.zeros((4, 4), np.uint8))
    (record,) = evaluation.records
    assert record.miou is record.pixel_accuracy is None and set(record.boundary_f1) == {None}


def test_frames_without_a_time_are_no_film():
    evaluation = Evaluation(CLASSES)
    for name in 'ab':
        evaluation.add(Sample(name, np.zeros((4, 4, 3), np.uint8)), np.zeros((4, 4), np.uint8))
    assert evaluation.stability.change() is None and evaluation.records[1].change is None


def test_sequences_do_not_follow_each_other():
    evaluation = gather([0])
    add(evaluation, 1, 'rear')
    assert evaluation.stability.pixels == 0
    add(evaluation, 2, 'front')
    assert evaluation.stability.pixels == 24 * 32
    assert [record.time for record in evaluation.records] == [0.0, 0.0, 0.2]
    assert list(evaluation.by_sequence) == ['front', 'rear']


def test_a_missing_frame_ends_a_pair():
    evaluation = gather([0])
    evaluation.interrupt('front')
    add(evaluation, 2)
    assert evaluation.records[1].change is None and evaluation.records[1].time == 0.2
    add(evaluation, 3)
    assert evaluation.records[2].change is not None


def test_an_engine_may_reuse_its_memory():
    evaluation = Evaluation(CLASSES)
    mask = np.zeros((4, 4), np.uint8)
    for index in range(2):
        mask[:] = index
        evaluation.add(Sample(f'{index}', np.zeros((4, 4, 3), np.uint8), None, index / 10), mask)
    assert evaluation.stability.change() == 1.0


@pytest.mark.parametrize('borders', [(1,), (4,), (3, 4, 5), (2, 7, 11)])
@pytest.mark.parametrize('through_files', [False, True])
def test_parts_merge_into_the_whole(borders, through_files, tmp_path):
    def cut(start, stop, name):
        part = Evaluation(CLASSES, pictures=True, against=True)
        for number in range(start, stop):
            # Two cameras whose frames come in turn.
            add(part, number, 'front' if number % 3 else 'rear')
        if through_files:
            part.save(tmp_path / name)
            part = Evaluation.load(tmp_path / name)
        return part

    whole = cut(0, 14, 'whole')
    edges = [0, *borders, 14]
    parts = [cut(*span, f'{span[0]}') for span in zip(edges, edges[1:])]
    total = parts[0]
    for part in parts[1:]:
        total.merge(part)
    assert state(total) == state(whole)


def test_a_saved_evaluation_can_be_gone_on_with(tmp_path):
    half = gather(range(5))
    half.save(tmp_path / 'half')
    loaded = Evaluation.load(tmp_path / 'half')
    assert loaded.classes == CLASSES
    for number in range(5, 9):
        add(loaded, number)
    assert state(loaded) == state(gather(range(9)))


def test_saving_without_boundaries_pictures_and_another_model(tmp_path):
    plain = Evaluation(CLASSES, boundary=())
    plain.add(*frame(1)[:2])
    plain.save(tmp_path / 'plain')
    loaded = Evaluation.load(tmp_path / 'plain')
    assert loaded.boundary is loaded.gallery is loaded.agreement is None
    assert loaded.records == plain.records and loaded.records[0].boundary_f1 == ()


def test_a_damaged_file_is_an_input_error(tmp_path):
    path = tmp_path / 'saved'
    gather(range(2)).save(path)
    whole = path.read_bytes()
    for content in (b'', whole[: len(whole) // 2], b'no archive', json.dumps({}).encode()):
        path.write_bytes(content)
        with pytest.raises(InputError, match='saved'):
            Evaluation.load(path)


def test_a_label_of_another_size_names_its_frame_and_counts_nothing():
    evaluation = gather([0])
    sample = Sample('odd', np.zeros((4, 4, 3), np.uint8), np.zeros((4, 3), np.uint8), 1.0)
    with pytest.raises(InputError, match='frame odd: .*3x4.*4x4'):
        evaluation.add(sample, np.zeros((4, 4), np.uint8), sequence='front')
    assert len(evaluation.records) == evaluation.labelled_frames == 1
