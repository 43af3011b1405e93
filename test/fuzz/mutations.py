# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Good inputs with a few things wrong: random bytes alone are refused at the first look."""

import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import strategies as st

EDGES = (
    *(0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 63, 64, 100, 127, 128, 255, 256, 1000),
    *(32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1),
)
"""Numbers around which code goes wrong, of 32 bits without a sign."""
EDGES64 = (*EDGES, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)

uint32 = st.sampled_from(EDGES) | st.integers(0, 2**32 - 1)
text = st.text(max_size=20) | st.sampled_from(['', '\0', '\n', '\ud800', 'ä' * 300, '../a', '~x'])

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([*EDGES64, -1, 10**30, 0.5, 1e300, float('nan'), float('inf')])
    | st.integers(-300, 300)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)
"""What JSON can hold, and Python's NaN and Infinity."""


@st.composite
def damaged(draw, content, most=3):
    """Bytes with up to `most` things done to them; see `_DAMAGES`."""
    content = bytearray(draw(content) if isinstance(content, st.SearchStrategy) else content)
    for _ in range(draw(st.integers(1, most))):
        draw(st.sampled_from(_DAMAGES))(draw, content)
    return bytes(content)


def _place(draw, content):
    # Headers are at the start, and most of what can go wrong with them.
    most = min(len(content), draw(st.sampled_from([16, 128, 1 << 30])))
    return draw(st.integers(0, max(0, most - 1)))


def _flip(draw, content):
    if content:
        content[_place(draw, content)] ^= 1 << draw(st.integers(0, 7))


def _set(draw, content):
    if content:
        content[_place(draw, content)] = draw(st.sampled_from([0, 1, 127, 128, 255]))


def _number(draw, content):
    size, order = draw(st.sampled_from([2, 4, 8])), draw(st.sampled_from(['big', 'little']))
    value = draw(st.sampled_from(EDGES64)) % 256**size
    place = _place(draw, content)
    content[place : place + size] = value.to_bytes(size, order)


def _cut(draw, content):
    del content[_place(draw, content) :]


def _drop(draw, content):
    place = _place(draw, content)
    del content[place : place + draw(st.integers(1, 64))]


def _repeat(draw, content):
    place, length = _place(draw, content), draw(st.integers(1, 256))
    target = _place(draw, content)
    content[target:target] = content[place : place + length]


def _insert(draw, content):
    place = _place(draw, content)
    content[place:place] = draw(st.binary(min_size=1, max_size=32))


def _append(draw, content):
    content += draw(st.binary(min_size=1, max_size=32) | st.just(bytes(5000)))


_DAMAGES = (_flip, _set, _number, _cut, _drop, _repeat, _insert, _append)
