# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mask plans: which layers of a network may have weights of 0, and so take two bit planes.

Zeros make a network more accurate, but each layer that has them costs a second product. A plan is
therefore chosen by what a layer's second plane gains for what it costs: see `greedy_plan`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mbu_ros.errors import InputError
from mbu_ros.model.structure import LayerShape, padded_size

if TYPE_CHECKING:
    from mbu_ros.network.unet import UNet

MaskPlan = dict[str, int]
"""Number of planes (1: weights -1 and +1; 2: also 0) per binary layer, by name."""

ROUNDING = 1e-9
"""Share of a budget by which sums of floats may miss it."""


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


def layer_operations(shapes: Iterable[LayerShape], size: tuple[int, int]) -> dict[str, int]:
    """Binary operations of one plane of each binary layer for one frame, two per multiply-add.

    Args:
        shapes: all layers of a network.
        size: (height, width) of a frame, in pixels.
    """
    shapes = tuple(shapes)
    return {s.name: n for s, n in _operations(shapes, size).items() if s.is_binary}


def plan_operations(
    shapes: Iterable[LayerShape], size: tuple[int, int], plan: Mapping[str, int]
) -> int:
    """Operations of a whole network for one frame, two per multiply-add and plane.

    The first convolution and the head count too, once, although theirs are on bytes: with one plane
    everywhere this is twice the multiply-adds of the float network.

    Args:
        shapes: all layers of the network.
        size: (height, width) of a frame, in pixels.
        plan: planes per binary layer.
    """
    operations = _operations(tuple(shapes), size)
    return sum(n * (plan[s.name] if s.is_binary else 1) for s, n in operations.items())


def _operations(shapes: tuple[LayerShape, ...], size: tuple[int, int]) -> dict[LayerShape, int]:
    height, width = padded_size(*size, depth=max(shape.level for shape in shapes))
    return {shape: 2 * shape.multiply_adds(height, width) for shape in shapes}


def budget_share(
    shapes: Iterable[LayerShape], size: tuple[int, int], times: float
) -> float:
    """Share of all second planes' operations that a budget leaves room for, in [0, 1].

    Args:
        shapes: all layers of a network.
        size: (height, width) of a frame, in pixels.
        times: the budget: operations of the whole network over those of the all-binary one.

    Raises:
        InputError: `times` is not a number from 1 to 2.
    """
    if not 1 <= times <= 2:
        raise InputError(
            f'a budget of {times} times the all-binary operations cannot be kept or spent; choose '
            'one from 1 (no layer masked) to 2 (all of them, with room to spare)'
        )
    shapes = tuple(shapes)
    extra = sum(layer_operations(shapes, size).values())
    binary = plan_operations(shapes, size, make_plan(shapes, 'none'))
    return min(1.0, (times - 1) * binary / extra)


def greedy_plan(
    gains: Mapping[str, float],
    costs: Mapping[str, float],
    budget: float,
    *,
    sizes: Mapping[str, float] | None = None,
) -> MaskPlan:
    """The plan that takes second planes by gain per cost, best first, as long as they fit.

    A layer that no longer fits is passed over, and smaller ones after it may still be taken. Layers
    of no gain come last, after all that have some. Of equals, the first of `gains` is taken first.

    Args:
        gains: what each layer gains by a second plane, in any unit, in running order.
        costs: what each layer's second plane costs, above 0, in any unit.
        budget: share in [0, 1] of the summed sizes that the planes taken may have.
        sizes: what the budget is counted in; the costs where None. So layers can be taken by
            measured time, and yet the budget be one of operations.

    Raises:
        InputError: the mappings are of different layers, a number is not finite, a cost or size is
            not above 0, or the budget is out of range.
    """
    sizes = costs if sizes is None else sizes
    _check('gain', gains, gains)
    _check('cost', costs, gains, positive=True)
    _check('size', sizes, gains, positive=True)
    if not 0 <= budget <= 1:
        raise InputError(
            f'a budget of {budget} is no share of the extra cost; choose one from 0 (no layer '
            'masked) to 1 (all of them)'
        )
    room = budget * math.fsum(sizes.values()) * (1 + ROUNDING)
    plan = dict.fromkeys(gains, 1)
    taken: list[float] = []
    for name in by_gain_per_cost(gains, costs):
        if math.fsum([*taken, sizes[name]]) <= room:
            plan[name] = 2
            taken.append(sizes[name])
    return plan


def by_gain_per_cost(gains: Mapping[str, float], costs: Mapping[str, float]) -> list[str]:
    """Names of layers by gain per cost, best first; of equals, the first of `gains` first."""
    return sorted(gains, key=lambda name: -gains[name] / costs[name])


def _check(
    what: str,
    values: Mapping[str, float],
    expected: Iterable[str],
    *,
    positive: bool = False,
) -> None:
    different = sorted(set(values) ^ set(expected))
    if different:
        raise InputError(
            f'gains, costs and sizes must be of the same layers; {different[0]!r} has not all of '
            'them'
        )
    for name, value in values.items():
        if not math.isfinite(value) or (positive and value <= 0):
            must = 'finite and above 0' if positive else 'a finite number'
            raise InputError(f'the {what} of layer {name!r} is {value}; it must be {must}')


def weight_sparsity(network: UNet) -> dict[str, float]:
    """Share of weights that are 0, in [0, 1], of each layer with two planes, in running order."""
    return {
        name: float((network.layer(name).quantized_weight().detach() == 0).float().mean())
        for name, planes in network.plan.items()
        if planes == 2
    }
