# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures over the run: reduced to few points, none lost."""

import numpy as np

from mbu_ros.evaluation.frame_record import FrameRecord
from mbu_ros.evaluation.report.timeline import in_sequences, timeline


def records(values, sequence='', clocked=True):
    return [
        FrameRecord(sequence, str(i), None, i / 10 if clocked else None, miou=value)
        for i, value in enumerate(values)
    ]


def test_few_frames_are_shown_each():
    line = timeline(records([0.1, 0.5, 0.3]), 'miou')
    assert line.unit == 'seconds' and line.x.tolist() == [0.0, 0.1, 0.2]
    assert line.mean.tolist() == [0.1, 0.5, 0.3] and not line.is_reduced


def test_many_frames_share_points_and_keep_their_range():
    values = np.random.default_rng(0).random(1003)
    line = timeline(records(values), 'miou', points=50)
    assert len(line.x) == 50 and line.is_reduced
    assert line.low.min() == values.min() and line.high.max() == values.max()
    assert (line.low <= line.mean).all() and (line.mean <= line.high).all()


def test_frames_without_the_figure_leave_a_gap_and_no_zero():
    line = timeline(records([None, 0.5, None, 0.7]), 'miou')
    assert line.mean.tolist() == [0.5, 0.7] and line.x.tolist() == [0.1, 0.3]
    assert line.span == (0.0, 0.3)


def test_no_figure_no_line():
    assert timeline(records([None, None]), 'miou') is None
    assert timeline([], 'miou') is None


def test_without_a_clock_frames_are_counted():
    line = timeline(records([0.1, 0.2], clocked=False), 'miou')
    assert line.unit == 'frames' and line.x.tolist() == [1, 2]


def test_several_sequences_follow_each_other():
    mixed = [
        record for pair in zip(records([0.1] * 3, 'b'), records([0.9] * 3, 'a')) for record in pair
    ]
    ordered = in_sequences(mixed)
    assert [record.sequence for record in ordered] == ['b'] * 3 + ['a'] * 3
    line = timeline(ordered, 'miou')
    assert line.unit == 'frames' and line.starts == (3.5,)


def test_times_that_go_backwards_are_no_axis():
    again = [*records([0.1, 0.2, 0.3]), *records([0.4, 0.5])]  # such as a bag that was looped
    line = timeline(again, 'miou')
    assert line.unit == 'frames' and line.x.tolist() == [1, 2, 3, 4, 5]
    assert timeline(records([0.1, 0.2])[::-1], 'miou').unit == 'frames'
