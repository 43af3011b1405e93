# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Masks of a live run are judged exactly as offline judges its own."""

import numpy as np
import pytest

from mbu_ros.bags.reader import BagReader
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.live.judging import judge
from mbu_ros.evaluation.live.recording import Recording
from mbu_ros.evaluation.mask_files import MaskFiles
from mbu_ros.evaluation.part_run import PartRunner, PartSettings
from mbu_ros.evaluation.plan import plan_bags
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

from .bags import CAMERAS, write_two_cameras

TOPICS = [f'{camera}/image_raw' for camera in CAMERAS]
FRAMES = 5


@pytest.fixture(scope='module')
def model():
    return random_model(width=8, depth=2, classes=5, input_size=(32, 48))


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_two_cameras(tmp_path_factory.mktemp('judging') / 'bag', FRAMES)


@pytest.fixture(scope='module')
def masks(bag, model):
    """The model's mask of every image, by topic and stamp."""
    engine = ReferenceEngine(model)
    return {
        (topic, sample.stamp): engine.segment([sample.image])[0].labels
        for topic in TOPICS
        for sample in BagReader(bag, topic).samples()
    }


@pytest.fixture
def record(tmp_path):
    return Recording(TOPICS, MaskFiles(tmp_path / 'masks'))


def put(record, masks):
    for (topic, stamp), mask in masks.items():
        record.add_image(topic, stamp, 1_000_000)
        record.add_mask(topic, stamp, mask, 5_000_000)
        record.add_stages(topic, stamp, {'network': 2.0})
    record.finish()


def judged(bag, model, record, **options):
    evaluation = Evaluation(model.classes)
    plan = plan_bags([bag], model.classes)
    return evaluation, judge(plan, record, evaluation, **options)


def figures(evaluation):
    """All of each frame but its time."""
    return [vars(record) | {'latency_ms': None} for record in evaluation.records]


def test_all_masks_give_the_offline_evaluation(tmp_path, bag, model, masks, record):
    save_model(model, tmp_path / 'model.safetensors')
    settings = PartSettings(tmp_path / 'model.safetensors', boundary=(1, 3, 5))
    offline = Evaluation(model.classes)
    with PartRunner(settings) as runner:
        for part in plan_bags([bag], model.classes).parts:
            offline.merge(runner.run(part)[0])
    put(record, masks)
    live, result = judged(bag, model, record)
    assert figures(live) == figures(offline)
    assert len(live.records) == 2 * FRAMES and live.records[1].flicker is not None
    assert np.array_equal(live.confusion.counts, offline.confusion.counts)
    assert live.by_sequence.keys() == offline.by_sequence.keys()
    assert live.stability == offline.stability
    assert np.array_equal(live.boundary.f1(), offline.boundary.f1())
    assert (result.images, result.labelled) == (2 * FRAMES, 2 * FRAMES)
    assert [record.latency_ms for record in live.records] == [pytest.approx(4)] * 2 * FRAMES
    assert live.stages == {'network': [2.0] * 2 * FRAMES}


def test_frames_around_a_dropped_one_are_not_compared(bag, model, masks, record):
    dropped = [key for key in masks if key[0] == TOPICS[0]][2]
    put(record, {key: mask for key, mask in masks.items() if key != dropped})
    live, result = judged(bag, model, record)
    assert (len(live.records), result.images) == (2 * FRAMES - 1, 2 * FRAMES)
    front, rear = live.records[: FRAMES - 1], live.records[FRAMES - 1 :]
    assert [record.flicker is None for record in front] == [True, False, True, False]
    assert [record.flicker is None for record in rear] == [True] + [False] * (FRAMES - 1)
    # The times go on from the first frame of all.
    assert front[2].time == pytest.approx(0.3)


def test_masks_of_an_earlier_run_in_the_folder_count_for_nothing(bag, model, masks, record):
    for (topic, stamp), mask in masks.items():
        record.files.put(topic, stamp, mask)
    put(record, dict(list(masks.items())[:2]))
    live, _ = judged(bag, model, record)
    assert len(live.records) == 2


def test_smaller_masks_are_enlarged(bag, model, masks, record):
    small = {key: np.ascontiguousarray(mask[::2, ::2]) for key, mask in masks.items()}
    put(record, small)
    live, _ = judged(bag, model, record)
    assert live.confusion.pixels == 2 * FRAMES * 60 * 80


def test_another_model_is_compared_on_the_same_images(bag, model, masks, record):
    put(record, masks)
    evaluation = Evaluation(model.classes, against=True)
    plan = plan_bags([bag], model.classes)
    engine = ReferenceEngine(model)
    judge(plan, record, evaluation, other=lambda image: engine.segment([image])[0].labels)
    assert evaluation.agreement.pixel_accuracy() == 1.0


def test_a_mask_that_may_be_of_another_image_is_not_judged(bag, model, masks, record):
    first, second = list(masks)[:2]
    record.add_image(*first, 2_000_000)  # the same stamp twice, but one mask
    record.add_image(*second, 2_000_000)
    record.add_mask(*second, masks[second], 3_000_000)
    put(record, masks)
    live, result = judged(bag, model, record)
    assert (len(live.records), result.images) == (2 * FRAMES - 1, 2 * FRAMES)
    assert [r.stamp for r in live.records[:2]] == [stamp for _, stamp in list(masks)[1:3]]
