# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages with nothing, or a few fields, wrong; and what encodings need."""

import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import strategies as st

from mbu_ros.imaging.messages import ENCODINGS

from .mutations import text, uint32

PIXEL_BYTES = {
    **{'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1, '8UC1': 1},
    **{'rgb16': 6, 'bgr16': 6, 'rgba16': 8, 'bgra16': 8, 'mono16': 2},
    **{f'bayer_{order}{bits}': bits // 8 for order in ('rggb', 'bggr', 'gbrg', 'grbg')
       for bits in (8, 16)},
    **{'yuv422': 2, 'uyvy': 2, 'yuv422_yuy2': 2, 'yuyv': 2, 'nv12': 1, 'nv21': 1},
}
"""Of a row, written down once more: not taken from the code that is tested."""
PLANAR = ('nv12', 'nv21')
SHARED_COLOUR = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', *PLANAR)

OTHER_ENCODINGS = ('', 'RGB8', 'rgb8 ', '8UC3', '16UC1', '32FC1', 'bayer_rggb', 'jpeg', 'x' * 999)


@dataclass
class Picture:
    """The fields of a sensor_msgs/Image but its header.

    Attributes:
        intact: whether nothing is wrong with it.
        made_of: what `make_data` was given, which tells the data in fewer words.
    """

    encoding: str
    height: int
    width: int
    step: int
    is_bigendian: int
    data: Any = field(repr=False)
    intact: bool = True
    made_of: tuple = ()


def make_data(length, seed, kind='array'):
    """Random bytes as a message may hold them."""
    content = np.random.default_rng(seed).integers(0, 256, length, np.uint8)
    if kind == 'array':
        return array.array('B', content.tobytes())
    return content if kind == 'numpy' else content.tobytes()


@dataclass(frozen=True)
class Spec:
    """A picture of any encoding.

    Attributes:
        height, width: in pixels, made even where the encoding needs it.
        padding: bytes after each row.
        is_bigendian: as in the message.
        wrong: what to do to fields and to the length of the data: ('add', n), ('times', n) or
            ('set', value).
        seed, kind: for `make_data`.
    """

    height: int
    width: int
    padding: int
    is_bigendian: int
    wrong: dict[str, tuple[str, Any]]
    seed: int
    kind: str

    def picture(self, encoding):
        """The picture of this encoding, if that is not among what is wrong."""
        even_width, even_height = encoding in SHARED_COLOUR, encoding in PLANAR
        height = self.height + (self.height % 2 if even_height else 0)
        width = self.width + (self.width % 2 if even_width else 0)
        step = width * PIXEL_BYTES[encoding] + self.padding
        rows = height * 3 // 2 if encoding in PLANAR else height
        fields = {
            'encoding': encoding,
            'height': height,
            'width': width,
            'step': step,
            'is_bigendian': self.is_bigendian,
            'length': rows * step,
        }
        for name, (how, value) in self.wrong.items():
            if how == 'set':
                fields[name] = value
            elif how == 'times':
                fields[name] *= value
            else:
                fields[name] = max(0, fields[name] + value)
        length = min(fields.pop('length'), MOST_BYTES)
        made_of = length, self.seed, self.kind
        return Picture(
            **fields, data=make_data(*made_of), intact=not self.wrong, made_of=made_of
        )


MOST_BYTES = 200_000
other_encodings = st.sampled_from(ENCODINGS) | st.sampled_from(OTHER_ENCODINGS) | text
near = st.tuples(st.just('add'), st.integers(-9, 9).filter(bool)) | st.just(('times', 2))
far = st.tuples(st.just('set'), uint32)
wrongs = st.fixed_dictionaries(
    {},
    optional={
        'encoding': st.tuples(st.just('set'), other_encodings),
        'height': near | far,
        'width': near | far,
        'step': near | far,
        'is_bigendian': st.tuples(st.just('set'), st.integers(0, 255)),
        'length': near | far,
    },
)


def specs(kinds=('array', 'numpy', 'bytes'), most=40):
    """Consistent pictures, and as many with some fields wrong."""
    return st.builds(
        Spec,
        height=st.integers(1, most),
        width=st.integers(1, most),
        padding=st.sampled_from([0, 0, 1, 7]),
        is_bigendian=st.sampled_from([0, 1]),
        wrong=st.just({}) | wrongs | wrongs,
        seed=st.integers(0, 99),
        kind=st.sampled_from(kinds),
    )


def pictures(encodings=ENCODINGS, **options):
    """Those of one encoding."""
    return st.builds(Spec.picture, specs(**options), st.sampled_from(encodings))
