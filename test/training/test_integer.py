# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np
import pytest

from mbu_ros.engine.base import EngineError
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.model.random import random_model
from mbu_ros.training import integer
from mbu_ros.training.integer import integer_labels

MODEL = random_model(width=4, depth=1, input_size=(12, 14), seed=1)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 12, 14, 3), dtype=np.uint8)


def test_processes_give_the_engines_labels_in_order():
    engine = ReferenceEngine(MODEL)
    expected = [result.labels for result in engine.segment(list(IMAGES))]
    engine.close()
    assert len({labels.tobytes() for labels in expected}) == 5
    for processes in (None, 2):
        labels = list(integer_labels(MODEL, IMAGES, processes))
        np.testing.assert_array_equal(labels, expected)


def test_its_processes_need_no_torch():
    code = (
        'import sys; sys.modules["torch"] = None; import mbu_ros.training.integer; '
        'import mbu_ros.training.datasets'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


class PretendedGpu(ReferenceEngine):
    """Runs two frames at once, and gives its memory out again."""

    max_batch = 2
    fails_at = None

    def __init__(self, model):
        super().__init__(model)
        self.sizes, self.memory = [], np.empty((2, 12, 14), np.uint8)

    def segment(self, frames):
        if len(self.sizes) == self.fails_at:
            raise EngineError('no more')
        self.sizes.append(len(frames))
        results = super().segment(frames)
        for place, result in zip(self.memory, results):
            place[:] = result.labels
        return [type(result)(place) for place, result in zip(self.memory, results)]

    def close(self):
        self.closed = True


@pytest.mark.parametrize('fails_at', [None, 1])
def test_a_gpu_is_used_where_there_is_one_and_works(monkeypatch, caplog, fails_at):
    engines = []

    def create(name, model):
        assert name == 'cuda'
        engines.append(PretendedGpu(model))
        return engines[-1], ''

    monkeypatch.setattr(integer, 'create_engine', create)
    monkeypatch.setattr(PretendedGpu, 'fails_at', fails_at)
    expected = list(integer_labels(MODEL, IMAGES, 1))
    np.testing.assert_array_equal(list(integer_labels(MODEL, IMAGES)), expected)
    (engine,) = engines
    assert engine.closed
    assert engine.sizes == ([2, 2, 1] if fails_at is None else [2])
    assert ('the CPU goes on: no more' in caplog.text) == (fails_at == 1)
