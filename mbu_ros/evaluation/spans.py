# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Divides a camera of a bag into spans of log time of about as many frames each.

A bag is not to be read to its end before the work begins, and a time can be sought in it; a number
of frames cannot.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from mbu_ros.evaluation.parts import BagPart

if TYPE_CHECKING:
    from mbu_ros.bags.reader import BagReader

PART_FRAMES = 16
"""Frames of a part: few enough that an interruption costs little."""
MOST_PARTS = 256
"""Of one camera or data tree: each part opens it anew."""


def part_size(frames: int) -> int:
    """How many frames to put into each part, at least 1."""
    parts = min(MOST_PARTS, -(-frames // PART_FRAMES))
    return -(-frames // max(1, parts)) or 1


def divide(whole: BagPart, reader: BagReader) -> list[BagPart]:
    """The parts of a camera.

    Args:
        whole: all that is to be evaluated of it.
        reader: of its bag.
    """
    if not reader.seekable:
        return [whole]
    if whole.frames < reader.frames:
        return _divide_first(whole, reader)
    size = part_size(whole.frames)
    count = max(1, -(-whole.frames // size))
    length = reader.end - reader.start
    borders = [reader.start + length * index // count for index in range(count + 1)]
    return [
        replace(whole, frames=size, start=start, stop=stop, limit=None)
        for start, stop in zip(borders, borders[1:])
    ]


def _divide_first(whole: BagPart, reader: BagReader) -> list[BagPart]:
    """The same of the first images alone: these are a number of frames, while parts are times."""
    messages = islice(reader.messages([reader.image_topic]), whole.frames)
    # Files of a split bag may overlap in time.
    times = sorted(message.time for message in messages)
    if not times:
        return [whole]
    size = part_size(len(times))
    # Labels logged before the first image count as they do in the whole bag.
    borders = [reader.start, *times[size::size], times[-1] + 1]
    parts = [
        replace(
            whole,
            frames=min(size, len(times) - index * size),
            start=start,
            stop=stop,
            limit=None,
        )
        for index, (start, stop) in enumerate(zip(borders, borders[1:]))
    ]
    # An image of the same time as the last one is one more than asked for.
    rest = sum(borders[-2] <= time for time in times)
    return [*parts[:-1], replace(parts[-1], limit=rest)]
