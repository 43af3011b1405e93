# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tiny model, and data trees and bags to evaluate it on."""

import json

import cv2
import numpy as np
import pytest

from mbu_ros.data.sample import Sample
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

HEIGHT, WIDTH, CLASSES = 48, 64, 3


@pytest.fixture(scope='session')
def model():
    return random_model(width=8, depth=2, classes=CLASSES, input_size=(32, 48))


@pytest.fixture(scope='session')
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'random.safetensors'
    save_model(model, path)
    return path


@pytest.fixture(scope='session')
def other_model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'other.safetensors'
    save_model(
        random_model(width=8, depth=2, classes=CLASSES, input_size=(32, 48), seed=7), path
    )
    return path


@pytest.fixture(scope='session')
def make_samples(model):
    """Makes frames whose labels are the model's masks, with some pixels changed."""
    engine = ReferenceEngine(model)

    def make(count):
        random = np.random.default_rng(3)
        for i in range(count):
            coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
            label = engine.segment([image])[0].labels
            label[:8, : 8 * (i % 8)] = 0
            label[-4:] = 255
            yield Sample(f'{i:03d}', image, label)

    return make


@pytest.fixture
def write_tree(make_samples):
    """Writes a data tree of so many frames."""

    def write(root, count):
        for kind in ('images', 'labels'):
            (root / 'val' / kind).mkdir(parents=True)
        for sample in make_samples(count):
            cv2.imwrite(
                str(root / 'val' / 'images' / f'{sample.name}.png'), sample.image[:, :, ::-1]
            )
            cv2.imwrite(str(root / 'val' / 'labels' / f'{sample.name}.png'), sample.label)
        content = {
            'name': 'random',
            'classes': [f'class{c}' for c in range(CLASSES)],
            'colors': [[c, 0, 0] for c in range(CLASSES)],
        }
        (root / 'dataset.json').write_text(json.dumps(content))
        return root

    return write


@pytest.fixture
def write_bag(make_samples, model):
    """Writes a bag of so many frames at 10 Hz."""
    # Not everybody who evaluates data trees has the bag libraries.
    writer = pytest.importorskip('mbu_ros.bags.writer')

    def write(path, count, labels=True, **options):
        with writer.BagWriter(path, classes=model.classes, start=10**18, **options) as bag:
            for sample in make_samples(count):
                bag.write(sample if labels else Sample(sample.name, sample.image))
        return path

    return write
