# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.imaging import jpeg
from mbu_ros.imaging.jpeg import is_truncated
from mbu_ros.imaging.messages import to_rgb


def encode(*options, size=(48, 64)):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    return cv2.imencode('.jpg', image, options)[1].tobytes()


def with_segment(content, marker, data):
    return content[:2] + marker + struct.pack('>H', len(data) + 2) + data + content[2:]


PLAIN = encode()
# A whole small JPEG inside the EXIF segment, as cameras store it: it has its own end marker.
THUMBNAIL = with_segment(PLAIN, b'\xff\xe1', b'Exif\0\0' + encode(size=(16, 16)))
COMPLETE = {
    'plain': PLAIN,
    'progressive': encode(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    'restart markers': encode(cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    'thumbnail': THUMBNAIL,
    'end marker in a comment': with_segment(PLAIN, b'\xff\xfe', b'\xff\xd9'),
    'padding before markers': PLAIN[:2] + b'\xff\xff' + PLAIN[2:-2] + b'\xff\xff' + PLAIN[-2:],
    'stray bytes between segments': with_segment(
        b'\xff\xd8\0\0' + PLAIN[2:], b'\xff\xfe', b'comment'
    ),
    'zeros behind it': PLAIN + bytes(4096),
    'bytes behind it': PLAIN + b'\xff\xd8\xff\xe1 is not a picture',
    'a second picture behind it': THUMBNAIL + PLAIN,
    'a part of a second picture behind it': PLAIN + PLAIN[:500],
}


@pytest.mark.parametrize('content', COMPLETE.values(), ids=COMPLETE)
def test_complete(content):
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)
    assert not is_truncated(content)


@pytest.mark.parametrize('content', [b'', b'\xff', b'\x89PNG\r\n\x1a\n', b'RIFF\xff\xd8'])
def test_other_formats(content):
    assert not is_truncated(content)


@pytest.mark.parametrize(
    'name', ['plain', 'progressive', 'restart markers', 'thumbnail', 'end marker in a comment']
)
def test_truncated_anywhere(name):
    content = COMPLETE[name]
    for length in range(2, len(content)):
        assert is_truncated(content[:length]), length
    # The space for the whole file was taken, but not filled.
    assert is_truncated(content[: len(content) // 2] + bytes(1000))


def test_a_long_run_of_padding_takes_no_long_search():
    # Each byte could begin a marker; one search from each of them would take minutes.
    assert is_truncated(b'\xff\xd8' + b'\xff' * 3_000_000 + b'\0')


@pytest.mark.parametrize('unit', [b'\xff\xd0', b'\xff\xe0\0\0', b'\xff\xe0\0\2'])
def test_a_message_full_of_markers_is_refused_before_all_are_read(unit):
    content = b'\xff\xd8' + unit * (jpeg.MOST_MARKERS + 1) + PLAIN[2:]
    for read in (jpeg.is_truncated, jpeg.jpeg_size):
        with pytest.raises(InputError, match='more than 10000 markers'):
            read(content)
    content = b'\xff\xd8' + unit * (jpeg.MOST_MARKERS - 100) + PLAIN[2:]
    assert not jpeg.is_truncated(content) and jpeg.jpeg_size(content) == (48, 64)


def test_a_message_with_a_thumbnail_that_is_cut_off():
    data = THUMBNAIL[: len(THUMBNAIL) * 3 // 4]
    message = SimpleNamespace(format='jpeg', data=data, header=None)
    with pytest.raises(InputError, match='truncated'):
        to_rgb(message)
