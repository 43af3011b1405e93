# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table of a training run: its networks side by side, in numbers.

`table.json`:
    schema_version   raised when a key changes its meaning or goes away
    mbu_ros          version of this package
    data, classes    name of the data, names of its classes
    split            'val' or 'test': what the networks were evaluated on
    size             [height, width] of the networks' input
    width, depth     of the networks
    recipe, minutes, seed
    other_teachers   number of float networks of other runs and of models that taught the quantised
                     ones
    better_float     name of the better float network, which gaps count against; null without any
    binary_operations   of the same network with one plane in every hidden layer, per frame
    networks         one object per network, in the order of training; its keys are those of `Row`
A figure that is undefined is null, never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from mbu_ros import __version__
from mbu_ros.errors import InputError
from mbu_ros.model.structure import layer_shapes
from mbu_ros.network.masking import make_plan, plan_operations

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Heading:
    """What a run trained, and on what.

    Attributes:
        data: its name.
        classes: names of the classes.
        size: (height, width) of the networks' input.
        width, depth: of the networks.
        recipe: its name, with what was changed of it.
        minutes: time budget of the whole run.
        seed: of the run.
        other_teachers: number of float networks of other runs and of models that taught the
            quantised ones.
    """

    data: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    width: int
    depth: int
    recipe: str
    minutes: float
    seed: int
    other_teachers: int = 0


@dataclass(frozen=True)
class Row:
    """Figures of one network.

    Attributes:
        network: its name.
        precision: 'float' or 'quantized'.
        plan: planes per hidden layer; None for a float network.
        miou: in [0, 1]; of the integer network where there is one.
        gap: points of mIoU lost against the better float network, below 0 where nothing is lost;
            None for a float network and without any.
        pixel_accuracy: in [0, 1].
        iou: by class name, in [0, 1]; None where the class occurs neither in labels nor masks.
        bytes: of the deployed file; of the FP16 parameters of a float network.
        operations: of one frame, two per multiply-add; a hidden layer of two planes counts twice.
        operation_kind: 'binary' or 'fp16'.
        relative_operations: over those of the network with one plane everywhere; None for a float
            network, whose operations are of another kind.
        agreement: share in [0, 1] of pixels on which trained and integer network agree; None for
            a float network.
        minutes: of its own training, on top of that of the network it started from.
        images_per_second: in training.
        steps: of its own training.
        selected_step: after which of them it was what it is, where the best look at val was
            selected; None without that.
    """

    network: str
    precision: str
    plan: dict[str, int] | None
    miou: float | None
    gap: float | None
    pixel_accuracy: float | None
    iou: dict[str, float | None]
    bytes: int
    operations: int
    operation_kind: str
    relative_operations: float | None
    agreement: float | None
    minutes: float
    images_per_second: float | None
    steps: int
    selected_step: int | None


@dataclass(frozen=True)
class Table:
    """The rows of a run, and what they are of.

    Attributes:
        heading: see `Heading`.
        split: 'val' or 'test'.
        better_float: name of the better float network; None without any.
        binary_operations: of the network with one plane in every hidden layer.
        rows: one per network.
    """

    heading: Heading
    split: str
    better_float: str | None
    binary_operations: int
    rows: tuple[Row, ...]


def make_table(heading: Heading, results: Mapping[str, dict]) -> Table:
    """Put the results of a run's networks side by side.

    Args:
        heading: what they are of.
        results: by network, as `run.json` has them.

    Raises:
        InputError: there is no result yet, or the results are of different splits.
    """
    splits = sorted({result['split'] for result in results.values()})
    if not splits:
        raise InputError('this run has finished no network yet, so there is no table of it')
    if len(splits) > 1:
        raise InputError(
            f'these networks were evaluated on different splits, {" and ".join(splits)}, and '
            'cannot be compared; evaluate all of them on one'
        )
    floats = {
        name: miou
        for name, result in results.items()
        if result['precision'] == 'float' and (miou := _miou(result)) is not None
    }
    better = max(floats, key=floats.get, default=None)
    shapes = layer_shapes(heading.width, heading.depth, len(heading.classes))
    operations = plan_operations(shapes, heading.size, make_plan(shapes, 'none'))
    rows = tuple(
        _row(name, result, heading.classes, floats.get(better), operations)
        for name, result in results.items()
    )
    return Table(heading, splits[0], better, operations, rows)


def as_dict(table: Table) -> dict:
    """Plain values; the module describes the keys of table.json."""
    return {
        'schema_version': SCHEMA_VERSION,
        'mbu_ros': __version__,
        **asdict(table.heading),
        'split': table.split,
        'better_float': table.better_float,
        'binary_operations': table.binary_operations,
        'networks': [asdict(row) for row in table.rows],
    }


def _row(
    network: str,
    result: dict,
    classes: Sequence[str],
    float_miou: float | None,
    binary_operations: int,
) -> Row:
    miou, quantized = _miou(result), result['precision'] != 'float'
    comparable = quantized and miou is not None and float_miou is not None
    return Row(
        network=network,
        precision=result['precision'],
        plan=result['plan'],
        miou=miou,
        gap=100 * (float_miou - miou) if comparable else None,
        pixel_accuracy=_defined(result['pixel_accuracy']),
        iou={name: _defined(iou) for name, iou in zip(classes, result['iou'], strict=True)},
        bytes=result['bytes'],
        operations=result['operations'],
        operation_kind=result['operation_kind'],
        relative_operations=result['operations'] / binary_operations if quantized else None,
        agreement=_defined(result['agreement']),
        minutes=result['seconds'] / 60,
        images_per_second=_defined(result['images_per_second']),
        steps=result['steps'],
        selected_step=result.get('selected_step'),
    )


def _miou(result: dict) -> float | None:
    """What counts is what is deployed."""
    integer = _defined(result['integer_miou'])
    return _defined(result['miou']) if integer is None else integer


def _defined(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
