# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast a bag may be made and played: what player, bag writer and commands agree on."""

from __future__ import annotations

from mbu_ros.errors import InputError

MODES = ('recorded', 'fixed', 'acknowledged')
"""As logged; at a given rate; each image when the mask of the one before has come."""

MIN_RATE, MAX_RATE = 0.01, 10000.0
"""Images per second."""


def check_rate(rate_hz: float) -> None:
    """Raise InputError unless a rate, in Hz, is one of those allowed; NaN is not."""
    if not MIN_RATE <= rate_hz <= MAX_RATE:
        raise InputError(
            f'a rate of {rate_hz} Hz is not possible; it must be {MIN_RATE:g} to {MAX_RATE:g}'
        )
