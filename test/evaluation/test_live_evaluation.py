# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Matching of masks, labels and images by stamp, and reading the node's diagnostics."""

from types import SimpleNamespace

import numpy as np
import pytest

from mbu_ros.data.sample import ClassMap
from mbu_ros.evaluation.evaluate import Evaluation
from mbu_ros.evaluation.live import live_evaluation
from mbu_ros.evaluation.live.live_evaluation import LiveEvaluation
from mbu_ros.evaluation.live.node_state import NodeState

CLASSES = ClassMap(('a', 'b'), ((0, 0, 0), (255, 255, 255)))
IMAGE = np.zeros((4, 6, 3), np.uint8)
ONES = np.ones((4, 6), np.uint8)
MS = 1_000_000


def make(*, images=False, labels=True):
    return LiveEvaluation(Evaluation(CLASSES), images=images, labels=labels)


@pytest.mark.parametrize('order', ['ilm', 'iml', 'lim', 'lmi', 'mil', 'mli'])
def test_a_frame_counts_once_all_of_it_has_come(order):
    live = make(images=True)
    for count, part in enumerate(order):
        assert live.evaluation.records == []
        now = 10 + count / 10
        if part == 'i':
            live.add_image(7 * MS, IMAGE, now)
        elif part == 'l':
            live.add_label(7 * MS, ONES, now)
        else:
            live.add_mask(7 * MS, ONES, now)
    (record,) = live.evaluation.records
    assert record.name == '0.007000000'
    assert record.pixel_accuracy == 1.0
    assert live.seen == live.masks == 1
    # From the first of image and label, whichever it was.
    expected = {0: None, 1: 100, 2: 200}[order.index('m')]
    assert record.latency_ms == (expected and pytest.approx(expected))


def test_labels_go_with_the_mask_of_their_stamp():
    live = make()
    live.add_label(1, ONES, 0.0)
    live.add_label(2, 0 * ONES, 0.0)
    live.add_mask(2, 0 * ONES, 0.0)
    live.add_mask(1, ONES, 0.0)
    assert live.evaluation.confusion.counts.tolist() == [[24, 0], [0, 24]]


def test_a_second_mask_of_a_frame_counts_nowhere():
    live = make()
    for _ in range(2):
        live.add_label(1, ONES, 0.0)
        live.add_mask(1, ONES, 0.1)
    live.flush()
    assert len(live.evaluation.records) == live.masks == live.seen == 1
    assert live.repeated == 2


@pytest.fixture
def little_memory(monkeypatch):
    """Room for the labels of ten frames."""
    monkeypatch.setattr(live_evaluation, 'PENDING_BYTES', 10 * ONES.nbytes)


def test_frames_without_a_mask_are_given_up_and_never_counted(little_memory):
    live = make()
    for stamp in range(300):
        live.add_label(stamp, ONES, stamp / 10)
        if stamp % 3 == 0:
            live.add_mask(stamp, ONES, stamp / 10 + 0.05)
        assert len(live._pending) <= 10
    live.flush()
    assert live.seen == 300
    assert len(live.evaluation.records) == live.masks == 100
    assert live.evaluation.labelled_frames == 100
    assert all(r.latency_ms == pytest.approx(50) for r in live.evaluation.records)


def test_a_mask_that_comes_after_its_label_was_given_up_still_counts(little_memory):
    live = make()
    for stamp in range(20):
        live.add_label(stamp, ONES, 0.0)
    live.add_mask(0, ONES, 3.0)
    live.add_mask(19, ONES, 3.0)
    live.flush()
    figures = {r.name: (r.pixel_accuracy, r.latency_ms) for r in live.evaluation.records}
    assert figures == {'0.000000000': (None, 3000), '0.000000019': (1.0, 3000)}


def test_without_labels_or_images_a_mask_is_enough():
    live = make(labels=False)
    live.add_mask(5, ONES, 1.0)
    assert len(live.evaluation.records) == 1
    assert live.evaluation.labelled_frames == 0


@pytest.mark.parametrize('label', [np.ones((2, 3), np.uint8), np.full((4, 6), 2, np.uint8)])
def test_unusable_labels_are_counted_and_their_frames_kept(label):
    live = make()
    live.add_label(5, label, 0.0)
    live.add_mask(5, ONES, 0.1)
    assert live.unusable_labels == 1
    assert live.evaluation.labelled_frames == 0
    assert live.evaluation.records[0].latency_ms == pytest.approx(100)
    assert live.evaluation.confusion.pixels == 0


def status(name, **values):
    items = [SimpleNamespace(key=key, value=value) for key, value in values.items()]
    return SimpleNamespace(name=name, values=items)


def test_diagnostics_of_the_node_are_read():
    counts = {
        'Frames received': '12',
        'Frames segmented': '7',
        'Frames dropped (superseded)': '3',
        'Frames dropped (bad)': '1',
        'Input rate (Hz)': '9.9',
        'network p50 (ms)': '1.500',
        'network p95 (ms)': '2.250',
        'mask p50 (ms)': '',
    }
    engine = {'Engine': 'reference', 'Device': 'CPU', 'Model': 'synthetic'}
    state = NodeState()
    state.update([status('other: frames', **counts)], 'segment', 3.0)
    assert state.time is None
    state.update([status('segment: frames', **counts), status('segment: engine', **engine)],
                 'segment', 4.0)
    assert (state.time, state.received, state.segmented, state.dropped) == (4.0, 12, 7, 4)
    assert not state.idle
    assert state.stages_ms == {'network': {'p50': 1.5, 'p95': 2.25}}
    assert (state.engine, state.device, state.model) == ('reference', 'CPU', 'synthetic')
    state.update([status('segment: frames', **{**counts, 'Frames segmented': '8'})], 'segment', 5.0)
    assert state.idle
