# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask plans: which layers of a network may have weights of 0, and so take two bit planes."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from mbu_ros.errors import InputError
from mbu_ros.model.structure import LayerShape

MaskPlan = dict[str, int]
"""Number of planes (1: weights -1 and +1; 2: also 0) per binary layer, by name."""


def make_plan(shapes: Iterable[LayerShape], masked: str = 'all') -> MaskPlan:
    """The plan in which the layers named by `masked` have two planes and the others one.

    Args:
        shapes: the network's layers.
        masked: 'all', 'none', or names with wildcards, separated by commas, such as
            'encoder.*,decoder.0.*'.

    Raises:
        InputError: a pattern names no binary layer.
    """
    names = [shape.name for shape in shapes if shape.is_binary]
    if masked == 'all':
        return dict.fromkeys(names, 2)
    plan = dict.fromkeys(names, 1)
    if masked == 'none':
        return plan
    for pattern in masked.split(','):
        matched = [name for name in names if fnmatchcase(name, pattern.strip())]
        if not matched:
            raise InputError(
                f'mask plan: {pattern.strip()!r} names no layer; the layers are {", ".join(names)}'
            )
        plan.update(dict.fromkeys(matched, 2))
    return plan
