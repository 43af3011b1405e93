# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of every encoding with wrong fields: to RGB, to labels, and into an engine."""

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbu_ros.engine.base import RawFrame, check_frame
from mbu_ros.engine.cuda.frame_format import ENCODINGS as GPU_ENCODINGS
from mbu_ros.engine.cuda.frame_format import MAX_STEP, FrameFormat
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.imaging.messages import ENCODINGS, check_image, to_label, to_rgb
from mbu_ros.model.random import random_model

from .bounds import outcome
from .image_cases import PIXEL_BYTES, Picture, pictures, specs

MODEL = random_model(width=4, depth=1, classes=3, input_size=(8, 10))


@pytest.fixture(scope='module')
def engine():
    engine = ReferenceEngine(MODEL)
    yield engine
    engine.close()


def test_the_sizes_of_all_encodings_are_known_here():
    assert set(PIXEL_BYTES) == set(ENCODINGS)


@settings(max_examples=40)
@given(specs())
def test_to_rgb(spec):
    for encoding in ENCODINGS:
        picture = spec.picture(encoding)
        pixels = outcome(to_rgb, picture)
        assert pixels is not None or not picture.intact
        if pixels is not None:
            assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
            assert pixels.shape == (picture.height, picture.width, 3)


@settings(max_examples=100)
@given(pictures(encodings=('mono8', '8UC1', 'rgb8')))
def test_to_label(picture):
    labels = outcome(to_label, picture)
    if picture.intact:
        assert (labels is None) == (picture.encoding == 'rgb8')
    if labels is not None:
        assert labels.dtype == np.uint8 and labels.flags.c_contiguous
        assert labels.shape == (picture.height, picture.width)


@settings(max_examples=20)
@given(specs())
def test_all_checks_agree(spec):
    def check(picture):
        check_image(picture)
        return True

    def form(picture):
        form = FrameFormat(picture.encoding, picture.height, picture.width, picture.step)
        form.check_bytes(len(picture.data))
        return True

    for encoding in ENCODINGS:
        picture = spec.picture(encoding)
        converted = outcome(to_rgb, picture) is not None
        # The node checks a frame and gives it to an engine, which must not find it bad then.
        assert outcome(check, picture) == (converted or None)
        if picture.encoding in GPU_ENCODINGS and picture.step <= MAX_STEP:
            assert outcome(form, picture) == (converted or None)


# What Python code may hand to an engine that no message can hold.
odd_data = st.sampled_from(
    [None, '', 'text', [1, 2, 3], 7, np.zeros((4, 5), np.uint8), np.zeros(30, np.float32),
     np.zeros(60, np.uint8)[::2], memoryview(bytes(30))]
)


@settings(max_examples=100)
@given(pictures(most=12), st.none() | st.tuples(odd_data))
@example(Picture('rgb8', 1, 10, 30, 0, b''), (np.zeros(60, np.uint8)[::2],))
def test_the_engine_segments_or_refuses(engine, picture, odd):
    data = picture.data if odd is None else odd[0]
    raw = RawFrame(
        data, picture.height, picture.width, picture.step, picture.encoding, picture.is_bigendian
    )
    found = outcome(lambda frame: engine.segment([frame], confidence=True), raw)
    if odd is None:
        assert found is not None or not picture.intact
    if found is not None:
        (result,) = found
        assert result.labels.shape == result.confidence.shape == (picture.height, picture.width)
        assert result.labels.max() < 3 and np.isfinite(result.confidence).all()


arrays = st.tuples(
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.sampled_from([np.uint8, np.int8, np.float32, bool, object, 'S3']),
).map(lambda case: np.zeros(*case))


@settings(max_examples=60)
@given(arrays | st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)).map(
    lambda shape: np.zeros(shape, np.uint8)
) | st.none() | st.binary(max_size=9) | st.integers())
def test_arrays_of_any_kind(engine, frame):
    def check(frame):
        check_frame(frame)
        return engine.segment([frame])

    found = outcome(check, frame)
    good = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.ndim == 3
    assert (found is not None) == (good and frame.shape[2] == 3 and frame.size > 0)
