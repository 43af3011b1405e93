# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which label belongs to which image: they are paired by stamp, wherever reading begins.

An image and a label are a pair where each is the other's nearest, at most the tolerance apart; of
two equally near ones the earlier stamp counts, and of two with the same stamp the one logged nearer
to the other half of the pair. This looks at neighbours alone, so a bag read in spans gives the
pairs that it gives as a whole.

A stamp of 0 that several images in a row have is none: nobody knows which label is whose.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from mbu_ros.bags.format import SECOND
from mbu_ros.errors import InputError

LABEL_DELAY = 2 * SECOND
"""How much earlier or later than its image a label may be logged. So much of the labels is kept in
memory on both sides, less those that have found their image."""

MAX_TOLERANCE = SECOND
"""The largest tolerance; twice as much of the images must be looked through for neighbours."""

_JITTER = SECOND // 5
"""How much images of one camera may be logged out of the order of their stamps. Others with the
same stamp are looked for as far away, or further where there are more of them in between."""


@dataclass(eq=False)
class Stamped:
    """A message that can be paired.

    Attributes:
        stamp: of its header, ns.
        time: when it was logged, ns.
        message: the decoded message; None once it is used up.
        turn: how many of its topic were logged at the same time before it; told of images alone.
    """

    stamp: int
    time: int
    message: object | None
    turn: int = 0


def check_tolerance(tolerance: int) -> None:
    """Raise InputError unless this tolerance, in ns, is allowed."""
    if not 0 <= tolerance <= MAX_TOLERANCE:
        raise InputError(
            f'a label tolerance of {tolerance / 1e6:g} ms is not possible; it must be 0 to '
            f'{MAX_TOLERANCE / 1e6:g}'
        )


def neighbourhood(tolerance: int) -> int:
    """How far around an image, in log time (ns), other images may claim its label."""
    return 2 * tolerance + _JITTER


class Labels:
    """The labels around the image that is just being read.

    Args:
        labels: labels by log time, from `LABEL_DELAY` before the first image on.
        start, stop: log times between which labels are counted (None: open), ns.

    Attributes:
        logged: labels read so far that were logged in [start, stop).
    """

    def __init__(
        self, labels: Iterable[Stamped], start: int | None, stop: int | None
    ) -> None:
        self.logged = 0
        self._coming = iter(labels)
        self._next = next(self._coming, None)
        self._start, self._stop = start, stop
        self._held: list[Stamped] = []

    def nearest(self, image: Stamped, tolerance: int) -> Stamped | None:
        """The label nearest to an image, at most `tolerance` ns away, used up or not."""
        self._advance(image.time)
        # From the first one that can be meant; there are few.
        first = bisect_left(self._held, image.stamp - tolerance, key=attrgetter('stamp'))
        best = None
        for label in self._held[first:]:
            if label.stamp > image.stamp + tolerance:
                break
            if abs(label.time - image.time) > LABEL_DELAY:
                continue
            if best is None or _nearness(label, image) < _nearness(best, image):
                best = label
        return best

    def logged_until(self, time: int) -> int:
        """Labels of [start, stop) that were logged until this log time, ns."""
        return self.logged - sum(self._counts(label) for label in self._held if label.time > time)

    def finish(self) -> None:
        """Count the labels that are left."""
        while self._next is not None:
            self._take()
            self._held.clear()

    def _advance(self, time: int) -> None:
        while self._next is not None and self._next.time <= time + LABEL_DELAY:
            self._take()
        if self._held and min(label.time for label in self._held) < time - LABEL_DELAY:
            self._held = [label for label in self._held if label.time >= time - LABEL_DELAY]

    def _take(self) -> None:
        insort(self._held, self._next, key=attrgetter('stamp'))
        self.logged += self._counts(self._next)
        self._next = next(self._coming, None)

    def _counts(self, label: Stamped) -> bool:
        return (self._start is None or label.time >= self._start) and (
            self._stop is None or label.time < self._stop
        )


def pair(
    images: Iterable[Stamped], labels: Labels, tolerance: int
) -> Iterator[tuple[Stamped, Stamped | None]]:
    """Each image with its label, in the order of the images.

    A label that is given must be used up, by setting its message to None, or it may be given again
    to an image of the same stamp.

    Args:
        images: by log time, with those of the `neighbourhood` around those that matter.
        labels: the labels around them.
        tolerance: the most that stamps of a pair may differ, ns.
    """
    reach = neighbourhood(tolerance)
    around: deque[Stamped] = deque()
    waiting: deque[Stamped] = deque()

    def decide() -> tuple[Stamped, Stamped | None]:
        image = waiting.popleft()
        while around[0].time < image.time - reach:
            around.popleft()
        label = labels.nearest(image, tolerance)
        if label is None or label.message is None:
            return image, None
        rivals = [other for other in around if other.time <= image.time + reach]
        if image.stamp == 0 and sum(other.stamp == 0 for other in rivals) > 1:
            return image, None  # in simulation, a single one is the stamp of the first image
        # The first of equally near ones: `min` keeps to the order.
        claimed = min(rivals, key=lambda other: _nearness(other, label))
        return image, label if claimed is image else None

    for image in images:
        around.append(image)
        waiting.append(image)
        while waiting[0].time + reach < image.time:
            yield decide()
    while waiting:
        yield decide()


def _nearness(one: Stamped, other: Stamped) -> tuple[int, int, int]:
    """Sorts those that may be the partner of `other`, the best one first."""
    return abs(one.stamp - other.stamp), one.stamp, abs(one.time - other.time)
