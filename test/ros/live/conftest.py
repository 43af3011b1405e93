# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small labelled frames, bags and a model for the tests of player, evaluator and live runs."""

import numpy as np
import pytest

from mbu_ros.bags.writer import BagWriter
from mbu_ros.data.sample import Sample
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

START = 1_700_000_000_500_000_000
RATE_HZ = 20.0


@pytest.fixture(scope='session')
def make_samples():
    """Makes frames of 60x80 with blocks of colour, on which a random model's masks vary."""

    def make(count, *, labels=True):
        random = np.random.default_rng(11)
        samples = []
        for index in range(count):
            blocks = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            image = blocks.repeat(10, axis=0).repeat(10, axis=1)
            label = random.integers(0, 5, (60, 80), dtype=np.uint8)
            label[:5] = 255
            name, time = f'frame{index}', index / RATE_HZ
            samples.append(Sample(name, image, label if labels else None, time))
        return samples

    return make


@pytest.fixture(scope='session')
def write_bag():
    """Makes a bag of such frames, with stamps as `stamps` says; returns its path."""

    def write(path, samples, **options):
        with BagWriter(path, start=START, **options) as bag:
            for sample in samples:
                bag.write(sample)
        return path

    return write


@pytest.fixture(scope='session')
def stamps():
    """Stamps of the first so many frames of such a bag, in nanoseconds."""
    return lambda count: [START + round(index / RATE_HZ * 1e9) for index in range(count)]


@pytest.fixture
def model_file(tmp_path):
    """A file with a small random model of five classes."""
    path = tmp_path / 'model.safetensors'
    save_model(random_model(width=8, classes=5), path)
    return path
