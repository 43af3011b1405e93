# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""JPEG and PNG with wrong bytes, whole parts too many, and headers that lie about the size."""

import struct
import zlib

import cv2
import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import strategies as st

from mbu_ros.imaging.size import MAX_PIXELS

from ..data.encoded import exif_of_orientation, jpeg_with_exif, png
from .mutations import damaged, text

MEMORY = 24 * MAX_PIXELS
"""A header of some bytes may ask for `MAX_PIXELS`: of each a progressive JPEG's three 16-bit
coefficients and twice three bytes of colour, and room for what else libraries take."""

_PIXELS = np.random.default_rng(0).integers(0, 256, (13, 18, 3), np.uint8)


def encoded(suffix, *options, pixels=_PIXELS):
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


JPEGS = (
    encoded('.jpg'),
    encoded('.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    encoded('.jpg', cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    encoded('.jpg', cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    encoded('.jpg', pixels=_PIXELS[..., 0]),
    jpeg_with_exif(_PIXELS, exif_of_orientation(6)),
)
PNGS = (
    encoded('.png'),
    encoded('.png', pixels=_PIXELS[..., 0]),
    encoded('.png', pixels=np.dstack([_PIXELS, _PIXELS[..., :1]])),
    encoded('.png', pixels=_PIXELS.astype(np.uint16) * 257),
    png(8, 3, [bytes(4)] * 4, bytes(range(12))),
    png(1, 0, [b'\xf0'] * 4),
)
OTHERS = tuple(encoded(suffix) for suffix in ('.bmp', '.webp', '.tiff', '.ppm'))

SIZES = ((1, 1), (13, 18), (3000, 3000))
HUGE = (2**31 - 1, 2**31 - 1)


def jpeg_frame(marker, height, width):
    """The segment of a JPEG that states its size."""
    size = struct.pack('>HH', height, width)
    return b'\xff' + marker + b'\0\x11\x08' + size + b'\x03\x01\x22\0\x02\x11\1\x03\x11\1'


# Whole segments and chunks, which decoders may read otherwise than the check of the header does.
PARTS = (
    *(b'\xff\xd8', b'\xff\xd9', b'\xff\xda', b'\xff\xff', b'\xff\x00', b'\xff\x01', b'\xff\xd0'),
    *(jpeg_frame(b'\xc0', *size) for size in (*SIZES, (0, 18), (13, 0), (65535, 65535))),
    jpeg_frame(b'\xc2', 3000, 3000),
    *(b'\xff\xdc\0\4\xff\xff', b'\xff\xfe\0\2', b'\xff\xe0\0\0', b'\xff\xdd\0\4\0\1'),
    *(chunk(b'IHDR', struct.pack('>IIBBBBB', *size, 8, 2, 0, 0, 0)) for size in (*SIZES, HUGE)),
    chunk(b'acTL', struct.pack('>II', 2, 0)),
    *(
        chunk(b'fcTL', struct.pack('>IIIIIHHBB', 0, *size, 0, 0, 1, 1, 0, 0))
        for size in (*SIZES, HUGE)
    ),
    *(chunk(b'IEND', b''), chunk(b'tRNS', b'\0\1'), chunk(b'PLTE', bytes(9))),
    chunk(b'CgBI', bytes(4)),
    chunk(b'IDAT', zlib.compress(bytes(100_000))),
    chunk(b'iCCP', b'x\0\0' + zlib.compress(bytes(1_000_000))),
)


@st.composite
def spliced(draw, contents):
    """A file with whole parts put in between, mostly at its start."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 3))):
        # Behind the start marker, behind IHDR, or anywhere.
        place = draw(st.sampled_from([2, 8, 20, 33]) | st.integers(0, len(content)))
        content[place:place] = draw(st.sampled_from(PARTS))
    return bytes(content)


intact = st.sampled_from(JPEGS + PNGS)
files = (
    intact
    | spliced(JPEGS + PNGS)
    | damaged(intact)
    | damaged(spliced(JPEGS + PNGS))
    | st.sampled_from(OTHERS)
    | st.binary(max_size=64)
)
kinds = text | st.sampled_from(
    ['jpeg', 'png', 'rgb8; jpeg compressed bgr8', '16UC1; compressedDepth']
)
