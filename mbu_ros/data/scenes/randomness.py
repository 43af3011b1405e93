# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Independent random streams, one for each purpose.

Every kind of object draws from a stream of its own, so that a change to one kind leaves the others
where they were.
"""

import numpy as np

(
    STREET,
    LIGHT,
    CAMERA,
    SENSOR,
    BUILDINGS,
    SIDE_STREETS,
    CROSSINGS,
    TREES,
    PARKED,
    POLES,
    TRAFFIC,
    ONCOMING,
    WALKERS,
    CROSSERS,
    TEXTURES,
    DRIVEWAYS,
) = range(16)

# Spawn keys must not be negative, places behind the start are.
_OFFSET = 1 << 24


def stream(seed: int, purpose: int, *place: int) -> np.random.Generator:
    """Return the generator of a purpose, and of a place (integers) where there are many."""
    key = (purpose, *(_OFFSET + value for value in place))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
