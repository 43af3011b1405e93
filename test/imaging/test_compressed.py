# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""JPEG and PNG messages: sizes from their headers, bombs, and what was damaged on the way."""

import types

import cv2
import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.imaging.compressed import compressed_size, decode_bgr, fill_jpeg
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.imaging.size import MAX_PIXELS


def message(content, kind='jpeg'):
    return types.SimpleNamespace(data=content, format=kind)


def smooth(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)


def encode(suffix, pixels, *parameters):
    return cv2.imencode(suffix, pixels, parameters)[1].tobytes()


@pytest.mark.parametrize('grey', [False, True])
@pytest.mark.parametrize(
    'suffix, parameters',
    [
        ('.png', ()),
        ('.jpg', ()),
        ('.jpg', (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        ('.jpg', (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
    ],
)
def test_size_stands_in_the_header(suffix, parameters, grey):
    pixels = smooth(37, 50)
    content = encode(suffix, pixels[..., 0] if grey else pixels, *parameters)
    assert compressed_size(message(content)) == (37, 50)
    decoded = decode_bgr(message(content))
    expected = np.repeat(pixels[..., :1], 3, axis=2) if grey else pixels
    assert decoded.shape == (37, 50, 3) and decoded.flags.c_contiguous
    assert np.abs(decoded.astype(int) - expected).mean() < 4


def test_a_thumbnail_does_not_tell_the_size():
    thumbnail = encode('.jpg', smooth(8, 8))
    content = encode('.jpg', smooth(40, 60))
    exif = b'Exif\0\0' + thumbnail
    marked = content[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + content[2:]
    assert compressed_size(message(marked)) == (40, 60)
    assert decode_bgr(message(marked)).shape == (40, 60, 3)


def forged(suffix, height, width):
    """A small picture whose header says that it is of this size."""
    content = bytearray(encode(suffix, smooth(8, 8)))
    if suffix == '.png':
        content[16:24] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    else:
        at = content.index(b'\xff\xc0') + 5
        content[at : at + 4] = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    return message(bytes(content))


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
@pytest.mark.parametrize(
    'height, width, words',
    [(20_000, 20_000, 'too large'), (65_535, 65_535, 'too large'), (0, 8, 'is empty')],
)
def test_bombs_are_refused_before_they_are_decoded(monkeypatch, suffix, height, width, words):
    assert height * width > MAX_PIXELS or height * width == 0
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    for function in (compressed_size, decode_bgr, to_rgb):
        with pytest.raises(InputError, match=words):
            function(forged(suffix, height, width))


def test_a_header_that_lies_is_not_believed():
    # Decoders of JPEG fill what is missing; the picture is then of the size that was stated.
    with pytest.raises(InputError, match='damaged'):
        decode_bgr(forged('.png', 9, 8))
    assert decode_bgr(forged('.jpg', 9, 8)).shape == (9, 8, 3)


@pytest.mark.parametrize('suffix', ['.webp', '.bmp', '.tiff'])
def test_formats_whose_size_cannot_be_told_are_refused(suffix):
    with pytest.raises(InputError, match='neither JPEG nor PNG'):
        decode_bgr(message(encode(suffix, smooth(8, 8)), suffix))


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_no_damage_crashes(suffix):
    random = np.random.default_rng(1)
    good = encode(suffix, smooth(24, 32))
    outcomes = set()
    for _ in range(300):
        content = bytearray(good)
        for at in random.integers(0, len(content), random.integers(1, 6)):
            content[at] = random.integers(0, 256)
        content = bytes(content[: random.integers(1, len(content) + 1)])
        try:
            pixels = decode_bgr(message(content))
        except InputError:
            outcomes.add('refused')
        else:
            outcomes.add('decoded')
            assert pixels.dtype == np.uint8 and pixels.ndim == 3
    assert 'refused' in outcomes


def test_written_jpegs_can_be_read():
    pixels = smooth(40, 60)
    packed = message(b'', '')
    fill_jpeg(packed, pixels)
    assert packed.format == 'rgb8; jpeg compressed bgr8' and packed.data.typecode == 'B'
    assert np.abs(to_rgb(packed).astype(int) - pixels).mean() < 2
