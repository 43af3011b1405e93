# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a JPEG tells of itself before it is decoded: its size, and whether it was cut off.

OpenCV before 5.0 fills the rest of one that was cut off with grey and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mbu_ros.errors import InputError

START = b'\xff\xd8'
END = b'\xff\xd9'
START_OF_SCAN = 0xDA
BARE_MARKERS = {0x01, 0xD8, *range(0xD0, 0xD8)}
"""Markers without a segment behind them."""

MOST_MARKERS = 10_000
"""More before the picture are refused: cameras write tens, and a message full of them would keep
the interpreter busy for seconds."""

START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers whose segment holds the size."""

# As decoders do it: more FF before a marker are padding, and stray bytes before it are skipped.
_MARKER = re.compile(rb'\xff([^\x00\xff])')


def is_truncated(content: bytes) -> bool:
    """Whether this is a JPEG whose end-of-image marker is missing; False for other formats.

    What follows the marker, such as padding or a second picture, does not matter.

    Raises:
        InputError: it has more than `MOST_MARKERS` before the picture.
    """
    if not content.startswith(START):
        return False
    for marker, position in _markers(content):
        if marker == END[1]:
            return False
        if marker == START_OF_SCAN:
            # From here on, FF in the picture's data is always followed by 00 or a marker.
            return content.find(END, position) < 0
    return True


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Height and width that a JPEG's header states; None where it states none.

    Raises:
        InputError: it has more than `MOST_MARKERS` before the picture.
    """
    for marker, position in _markers(content):
        if marker in START_OF_FRAME:
            # Length of the segment, bits of a sample, height, width: 2, 1, 2, 2 bytes.
            fields = content[position + 3 : position + 7]
            if len(fields) < 4:
                return None
            return int.from_bytes(fields[:2], 'big'), int.from_bytes(fields[2:], 'big')
        if marker in (START_OF_SCAN, END[1]):
            return None
    return None


def _markers(content: bytes) -> Iterator[tuple[int, int]]:
    """Markers up to the first scan, each with the position behind it."""
    position = len(START)
    count = 0
    # Segments are stepped over: the thumbnail in one of them has markers of its own.
    while found := _MARKER.search(content, position):
        position = found.end()
        marker = found[1][0]
        count += 1
        if count > MOST_MARKERS:
            raise InputError(
                f'JPEG of {len(content)} bytes is damaged: more than {MOST_MARKERS} markers are '
                'before its picture'
            )
        yield marker, position
        if marker not in BARE_MARKERS:
            length = int.from_bytes(content[position : position + 2], 'big')
            position += max(length, 2)
