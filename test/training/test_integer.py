# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np

from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.model.random import random_model
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
