# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Networks with random parameters, for tests and for timing shapes that nobody has trained."""

from __future__ import annotations

import numpy as np

from mbu_ros.data.sample import ClassMap
from mbu_ros.model.deployed import ALWAYS, NEVER, BinaryLayer, FirstLayer, Head, Model
from mbu_ros.model.packing import pack_sources
from mbu_ros.model.structure import TAPS, UP, LayerShape, layer_shapes


def random_model(
    *,
    width: int = 16,
    depth: int = 2,
    classes: int = 5,
    input_size: tuple[int, int] = (64, 80),
    seed: int = 0,
    plan: dict[str, int] | None = None,
    lowest: int | None = None,
) -> Model:
    """A model whose weights, mask plan and thresholds are random, and whose labels vary.

    Thresholds lie near the middle of what each sum can be, so that activations are neither all 0
    nor all 1; a few are constant bits, as a batch norm with gamma 0 makes them.

    Args:
        plan: planes (1 or 2) per binary layer; random where None.
        lowest: of the head; see `deployed.Head`.
    """
    random = np.random.default_rng(seed)
    shapes = layer_shapes(width, depth, classes)
    mean = _triple(random.integers(90, 160, 3))
    first = random.integers(-127, 128, (width, 3, 3, 3), dtype=np.int8)
    # Sums over pixel - 128 of an average image, so that bits split about evenly.
    center = (first.astype(np.int64) * (np.array(mean) - 128)).sum(axis=(1, 2, 3))
    spread = random.integers(-20000, 20001, width)
    layers = {}
    for shape in shapes:
        if shape.is_binary:
            planes = int(random.integers(1, 3)) if plan is None else plan[shape.name]
            layers[shape.name] = _random_layer(random, shape, planes)
    head = random.integers(-127, 128, (classes, width), dtype=np.int8)
    return Model(
        name='random',
        classes=ClassMap(
            tuple(f'class{i}' for i in range(classes)),
            tuple(_triple(random.integers(0, 256, 3)) for _ in range(classes)),
        ),
        input_size=input_size,
        mean=mean,
        width=width,
        depth=depth,
        first=FirstLayer(first, (center + spread).astype(np.int32)),
        layers=layers,
        head=Head(head, _head_bias(head, lowest), 0.01, lowest),
        training={'data': 'none: random parameters'},
    )


def _head_bias(weight: np.ndarray, lowest: int | None) -> np.ndarray:
    """What makes logits of random activations vary around 0."""
    total: np.ndarray = weight.sum(axis=1, dtype=np.int32)
    if lowest is None:
        return -total // 2
    # Half of the sums lie above their thresholds, by a few units.
    return -total if lowest == 0 else 0 * total


def _random_layer(random: np.random.Generator, shape: LayerShape, planes: int) -> BinaryLayer:
    size = (shape.out_channels, TAPS[shape.kind], sum(shape.in_channels))
    low, high = (-1, 2) if planes == 2 else (0, 2)
    weight = random.integers(low, high, size)
    plus = weight == 1
    minus = weight == -1 if planes == 2 else ~plus
    # Each output sums over all taps, in an up-convolution over one. With half the bits set, the sum
    # is about half the sum of the weights.
    axes = (2,) if shape.kind == UP else (1, 2)
    center = (plus.sum(axis=axes) - minus.sum(axis=axes)) / 2
    deviation = 0.3 * np.sqrt(np.prod([size[axis] for axis in axes]))
    threshold = np.rint(center + random.normal(0, deviation, center.shape)).astype(np.int32)
    constant = random.random(threshold.shape)
    threshold[constant < 0.02] = ALWAYS
    threshold[constant > 0.98] = NEVER
    return BinaryLayer(
        pack_sources(plus, shape.in_channels),
        pack_sources(minus, shape.in_channels) if planes == 2 else None,
        threshold,
    )


def _triple(values: np.ndarray) -> tuple[int, int, int]:
    first, second, third = (int(value) for value in values)
    return first, second, third
