# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Search for the highest rate at which a node keeps up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

STEP = 1.5
MOST_TRIES = 12
KEPT_UP, GAIN = 0.95, 1.05
"""A camera that stays below this share of a rate, and sends hardly more than when it was asked for
less, can send no faster."""


class Attempt(NamedTuple):
    """What became of one rate."""

    asked: float
    hz: float
    """Achieved, which may be less than was asked for."""
    sent: int
    lost: int
    """Frames sent, and those of them that came to nothing."""

    def loses(self, max_drop: float) -> bool:
        """Whether more than this share was lost."""
        return self.lost > max_drop * self.sent


@dataclass
class Search:
    """How a search went.

    Attributes:
        best: the attempt at the highest rate that was kept up with; None without one.
        limited_by_camera: whether it is the highest only because the camera could send no faster.
        attempts: all, in order.
    """

    best: Attempt | None = None
    limited_by_camera: bool = False
    attempts: list[Attempt] = field(default_factory=list)


def search_rate(
    attempt: Callable[[float], Attempt],
    start: float,
    *,
    max_drop: float = 0.0,
    precision: float = 1.08,
    step: float = STEP,
    most_tries: int = MOST_TRIES,
    hiccup: float = 0.0,
    known: Iterable[Attempt] = (),
) -> Search:
    """Raise the rate until too much is lost, and close in on where that begins, by bisection.

    Args:
        attempt: sends frames at a rate, in Hz.
        start: the rate to begin with, unless `known` tells better.
        max_drop: share of the frames that may be lost.
        precision: ends when the lowest rate that lost too much is less than so many times the
            highest that did not.
        step: rates are raised, or lowered twice as fast, by this factor until the border lies
            between two of them; less where `start` is a good guess.
        most_tries: after which it ends with what is known by then.
        hiccup: a rate that lost too much, but no more than this share, is tried once more: the
            machine may have been busy with something else for a moment.
        known: attempts made before; of them as well, the best may be the best of all.
    """
    found = Search()
    low, high = 0.0, math.inf
    known = sorted(known)
    for one in known:
        if not one.loses(max_drop):
            low, found.best = one.asked, one
    # A rate that lost too much below one that did not was a mischance.
    high = min((one.asked for one in known if one.asked > low), default=math.inf)
    rate = start if low < start < high else _between(low, high, step)
    tried_again = 0.0
    while len(found.attempts) < most_tries and high > precision * low:
        result = attempt(rate)
        found.attempts.append(result)
        if result.loses(max_drop):
            if rate != tried_again and not result.loses(hiccup):
                tried_again = rate
                continue
            high = rate
        else:
            before, low = found.best, rate
            if before is None or result.hz > before.hz:
                found.best = result
            if before and result.hz < min(GAIN * before.hz, KEPT_UP * rate):
                found.limited_by_camera = True
                break
        rate = _between(low, high, step)
    return found


def _between(low: float, high: float, step: float) -> float:
    """What to try next."""
    if not low:
        return high / step**2
    return min(low * step, math.sqrt(low * high))
