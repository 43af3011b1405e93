# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images of any bytes: refused, or decoded at the size that was checked."""

import array
import types

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbu_ros.imaging.compressed import compressed_size, decode_bgr
from mbu_ros.imaging.jpeg import is_truncated, jpeg_size
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.imaging.size import MAX_PIXELS

from .bounds import outcome
from .encoded_cases import JPEGS, MEMORY, PARTS, PNGS, files, kinds


@settings(max_examples=400)
@given(files, kinds)
@example(b'', '')
def test_decoding(content, kind):
    message = types.SimpleNamespace(format=kind, data=array.array('B', content))
    size = outcome(compressed_size, message)
    pixels = outcome(decode_bgr, message, memory=MEMORY)
    assert pixels is not None or content not in JPEGS + PNGS
    if pixels is not None:
        assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous and pixels.ndim == 3
        # Else the check of the header would not bound the memory.
        assert pixels.shape == (*size, 3)
        assert size[0] * size[1] <= MAX_PIXELS


@settings(max_examples=50)
@given(files)
def test_to_rgb(content):
    message = types.SimpleNamespace(format='jpeg', data=np.frombuffer(content, np.uint8))
    pixels = outcome(to_rgb, message, memory=MEMORY)
    assert pixels is None or pixels.shape[2] == 3


markers = st.lists(
    st.sampled_from([*PARTS[:7], b'\xff\xe1\0\2', b'\xff\xe1\xff\xff', b'\0', b'\xff'])
    | st.binary(),
    max_size=30,
).map(b''.join)


@settings(max_examples=200)
@given(markers)
def test_walks_over_markers_end(tail):
    content = b'\xff\xd8' + tail
    assert outcome(is_truncated, content) in (True, False)
    size = outcome(jpeg_size, content)
    assert size is None or min(size) >= 0
