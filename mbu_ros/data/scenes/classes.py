# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The classes of the synthetic scenes and their colours."""

CLASSES: tuple[str, ...] = ('sky', 'building', 'road', 'pavement', 'tree', 'car', 'person', 'pole')
"""Class names; a label value is an index into this tuple."""

COLORS: tuple[tuple[int, int, int], ...] = (
    (70, 130, 180),
    (110, 70, 70),
    (128, 64, 128),
    (244, 35, 232),
    (107, 142, 35),
    (0, 0, 142),
    (220, 20, 60),
    (250, 200, 30),
)
"""One RGB triple per class, after the colours of Cityscapes."""

SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR, PERSON, POLE = range(len(CLASSES))
