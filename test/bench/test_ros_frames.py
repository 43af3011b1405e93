# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Serialized images, whose stamps are changed without looking at the rest."""

import numpy as np
import pytest

from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE, TYPESTORE, stamp_nanoseconds
from mbu_ros.bags.messages import make_compressed_image, make_header, make_image
from mbu_ros.bench.ros_frames import image_message, random_frame, stamp_of, stamped

STAMP = 1_700_000_123_456_789_012


@pytest.mark.parametrize('little_endian', [True, False])
@pytest.mark.parametrize('kind', [IMAGE, COMPRESSED_IMAGE])
def test_only_the_stamp_changes(kind, little_endian):
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    before = make_header(5)
    if kind == IMAGE:
        message = make_image(before, pixels, 'bgr8')
    else:
        message = make_compressed_image(before, pixels)
    data = bytes(TYPESTORE.serialize_cdr(message, kind, little_endian=little_endian))
    assert stamp_of(data) == 5
    changed = stamped(data, STAMP)
    assert isinstance(changed, bytes) and len(changed) == len(data)
    assert stamp_of(changed) == STAMP
    read = TYPESTORE.deserialize_cdr(changed, kind)
    assert stamp_nanoseconds(read) == STAMP
    assert np.array_equal(read.data, message.data)
    assert read.header.frame_id == message.header.frame_id
    assert stamped(changed, 5) == data


def test_images_of_pixels():
    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 3), np.uint8)
    read = TYPESTORE.deserialize_cdr(image_message(pixels), IMAGE)
    assert (read.height, read.width, read.step, read.encoding) == (3, 5, 15, 'rgb8')
    assert read.data.tobytes() == pixels.tobytes()
    assert random_frame(4, 6) == random_frame(4, 6) != random_frame(4, 6, seed=1)
