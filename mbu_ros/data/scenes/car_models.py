# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Car models: shapes, paints, and how large each is."""

PAINTS = (
    (0.75, 0.75, 0.76),
    (0.92, 0.92, 0.92),
    (0.10, 0.10, 0.11),
    (0.30, 0.31, 0.33),
    (0.48, 0.08, 0.08),
    (0.12, 0.20, 0.42),
    (0.55, 0.57, 0.60),
    (0.16, 0.30, 0.22),
    (0.62, 0.52, 0.36),
    (0.75, 0.55, 0.10),
    (0.25, 0.40, 0.55),
    (0.38, 0.14, 0.20),
)

# Length and width, then points (along, up) from the front bumper over the roof to the rear one. The
# third number of a point is what the strip up to the next one is made of: 0 paint, 1 glass, 2 dark
# plastic.
# fmt: off
PROFILES = {
    'sedan': (4.5, 1.78, [
        (2.25, 0.28, 2), (2.25, 0.5, 0), (2.15, 0.74, 0), (0.95, 1.0, 1), (0.25, 1.42, 0),
        (-0.95, 1.44, 1), (-1.6, 1.0, 0), (-2.2, 0.97, 0), (-2.25, 0.55, 2), (-2.25, 0.3, 2)]),
    'hatch': (4.0, 1.74, [
        (2.0, 0.28, 2), (2.0, 0.5, 0), (1.9, 0.76, 0), (0.95, 1.0, 1), (0.3, 1.47, 0),
        (-1.45, 1.48, 1), (-1.9, 1.0, 0), (-2.0, 0.6, 2), (-2.0, 0.3, 2)]),
    'suv': (4.6, 1.88, [
        (2.3, 0.38, 2), (2.3, 0.62, 0), (2.2, 0.95, 0), (1.1, 1.1, 1), (0.5, 1.68, 0),
        (-1.9, 1.7, 1), (-2.2, 1.1, 0), (-2.3, 0.68, 2), (-2.3, 0.38, 2)]),
    'van': (5.2, 1.95, [
        (2.6, 0.3, 2), (2.6, 0.6, 0), (2.5, 0.95, 0), (2.0, 1.15, 1), (1.35, 1.95, 0),
        (-2.55, 2.0, 0), (-2.58, 1.15, 0), (-2.6, 0.6, 2), (-2.6, 0.32, 2)]),
    'truck': (6.8, 2.3, [
        (3.4, 0.4, 2), (3.4, 0.8, 0), (3.38, 1.3, 1), (3.2, 2.1, 0), (2.6, 2.75, 0),
        (-3.4, 2.8, 0), (-3.4, 0.6, 2), (-3.4, 0.4, 2)]),
}
# fmt: on
# Above the waist a car narrows; every profile but the truck's has its points at that height.
WAISTS = {'sedan': 1.0, 'hatch': 1.0, 'suv': 1.1, 'van': 1.15, 'truck': 1.25}
KINDS = 3 * ('sedan', 'hatch', 'suv') + ('sedan', 'hatch', 'van', 'van', 'truck')

MODELS = 12 * len(KINDS)
"""How many different cars there are; picking one is far faster than building one."""


def footprint(model: int) -> tuple[float, float, float]:
    """Return (length, width, height) in metres of a model."""
    length, width, profile = PROFILES[kind_of(model)]
    return length, width, max(point[1] for point in profile)


def kind_of(model: int) -> str:
    """Return the shape of a model."""
    return KINDS[model % len(KINDS)]
