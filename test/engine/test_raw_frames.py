# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames as a camera's bytes, in the reference engine."""

import array

import numpy as np
import pytest

from mbu_ros.engine.base import RawFrame
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.model.random import random_model


@pytest.fixture(scope='module')
def engine():
    engine = ReferenceEngine(random_model(seed=3))
    yield engine
    engine.close()


@pytest.mark.parametrize('kind', [bytes, bytearray, memoryview, np.array, array.array])
def test_bytes_of_a_camera_are_converted(engine, kind):
    rows = np.random.default_rng(1).integers(0, 256, (64, 250), np.uint8)
    frame = rows[:, :240].reshape(64, 80, 3)[..., ::-1]
    content = rows.reshape(-1) if kind is np.array else rows.tobytes()
    data = array.array('B', content) if kind is array.array else kind(content)
    raw, plain = engine.segment([RawFrame(data, 64, 80, 250, 'bgr8'), frame])
    np.testing.assert_array_equal(raw.labels, plain.labels)


def test_the_order_of_bytes_counts(engine):
    words = np.random.default_rng(2).integers(0, 65536, 64 * 80 * 3).astype('>u2')
    raw = RawFrame(words.tobytes(), 64, 80, 480, 'rgb16', is_bigendian=1)
    swapped = RawFrame(words.byteswap().tobytes(), 64, 80, 480, 'rgb16')
    first, second, plain = engine.segment([raw, swapped, to_rgb(raw)])
    np.testing.assert_array_equal(first.labels, plain.labels)
    np.testing.assert_array_equal(second.labels, plain.labels)


@pytest.mark.parametrize(
    ('frame', 'text'),
    [
        (RawFrame(bytes(10), 64, 80, 240, 'rgb8'), 'bytes of data'),
        (RawFrame([1, 2], 64, 80, 240, 'rgb8'), 'buffer of bytes, this is list'),
        (RawFrame(np.zeros((64, 240), np.uint8), 64, 80, 240, 'rgb8'), 'one contiguous row'),
        (RawFrame(np.zeros(64 * 240, np.uint16), 64, 80, 240, 'rgb8'), 'one contiguous row'),
    ],
)
def test_bytes_that_do_not_fit_are_refused(engine, frame, text):
    with pytest.raises(InputError, match=text):
        engine.segment([frame])
