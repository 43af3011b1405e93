# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy of outlines: the boundary F1 score (BF) at a few distances.

After Csurka et al., "What is a good evaluation measure for semantic segmentation?" (BMVC 2013). A
boundary pixel of a class has that class and a direct neighbour of another one. At tolerance d,

    precision = share of the mask's boundary pixels with one of the label's within d pixels,
    recall    = share of the label's boundary pixels with one of the mask's within d pixels,
    F1        = 2 precision recall / (precision + recall),

each class by itself, distances Euclidean between centres of pixels. Unlike in the paper, pixels of
all frames are counted together, so that frames add up as in `metrics.ConfusionMatrix`.

Unlabelled pixels count nowhere: the mask is taken to be unlabelled there, too, and where a class
ends at unlabelled pixels or at the image's edge, nobody knows of a boundary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mbu_ros.data.sample import IGNORE
from mbu_ros.errors import InputError

TOLERANCES = (1, 3, 5)
"""Default distances, in pixels."""
MAX_TOLERANCE = 30
"""Largest distance: 0.75% of the diagonal, the paper's choice, is 17 pixels at 2048x1024."""


class BoundaryCounts:
    """Counts of boundary pixels, those near the other boundary among them.

    Args:
        classes: number of classes.
        tolerances: distances in whole pixels.

    Attributes:
        tolerances: the distances, ascending.
        mask_pixels: int64 [classes], boundary pixels of masks.
        label_pixels: int64 [classes], boundary pixels of labels.
        mask_near: int64 [tolerances, classes], those of `mask_pixels` near the label's boundary.
        label_near: int64 [tolerances, classes], those of `label_pixels` near the mask's boundary.

    Raises:
        InputError: a tolerance is not 1 to `MAX_TOLERANCE`, or there is none.
    """

    def __init__(self, classes: int, tolerances: Sequence[int] = TOLERANCES) -> None:
        self.tolerances = tuple(sorted(set(tolerances)))
        if not self.tolerances or not 1 <= self.tolerances[0] <= self.tolerances[-1] <= (
            MAX_TOLERANCE
        ):
            raise InputError(
                f'boundary tolerances {list(tolerances)}: each must be 1 to {MAX_TOLERANCE} pixels'
            )
        self.mask_pixels = np.zeros(classes, np.int64)
        self.label_pixels = np.zeros(classes, np.int64)
        self.mask_near = np.zeros((len(self.tolerances), classes), np.int64)
        self.label_near = np.zeros((len(self.tolerances), classes), np.int64)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.mask_pixels)

    def add(self, label: np.ndarray, mask: np.ndarray) -> None:
        """Count a frame, both uint8 [H, W] of one size; label values are classes or 255."""
        mask = np.where((label == IGNORE) | (mask >= self.classes), np.uint8(IGNORE), mask)
        of_label, of_mask = self._boundary(label), self._boundary(mask)
        for boundary, other, pixels, near in (
            (of_mask, of_label, self.mask_pixels, self.mask_near),
            (of_label, of_mask, self.label_pixels, self.label_near),
        ):
            total, far = self._far(boundary, other)
            pixels += total
            near += total - far

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        if (other.classes, other.tolerances) != (self.classes, self.tolerances):
            raise ValueError('cannot add boundary counts of other classes or tolerances')
        total = BoundaryCounts(self.classes, self.tolerances)
        for name in ('mask_pixels', 'label_pixels', 'mask_near', 'label_near'):
            setattr(total, name, getattr(self, name) + getattr(other, name))
        return total

    def precision(self) -> np.ndarray:
        """float64 [tolerances, classes]; NaN where masks have no boundary of a class."""
        return _share(self.mask_near, self.mask_pixels)

    def recall(self) -> np.ndarray:
        """float64 [tolerances, classes]; NaN where labels have no boundary of a class."""
        return _share(self.label_near, self.label_pixels)

    def f1(self) -> np.ndarray:
        """float64 [tolerances, classes]; NaN where a class has a boundary nowhere.

        0 where only masks or only labels have one.
        """
        precision, recall = np.nan_to_num(self.precision()), np.nan_to_num(self.recall())
        total = precision + recall
        f1: np.ndarray = np.zeros_like(total)
        np.divide(2 * precision * recall, total, out=f1, where=total > 0)
        f1[:, (self.mask_pixels == 0) & (self.label_pixels == 0)] = np.nan
        return f1

    def mean_f1(self) -> np.ndarray:
        """Mean of `f1` over the classes that have a boundary, float64 [tolerances]; NaN if none."""
        f1 = self.f1()
        defined = ~np.isnan(f1)
        return _share(np.where(defined, f1, 0).sum(axis=1), defined.sum(axis=1))

    def _boundary(self, ids: np.ndarray) -> np.ndarray:
        """The class of each boundary pixel and 255 elsewhere, with a border of 255 all around."""
        is_boundary = np.zeros(ids.shape, bool)
        for this, next_ in (
            (np.s_[:, :-1], np.s_[:, 1:]),
            (np.s_[:-1], np.s_[1:]),
        ):
            edge = (ids[this] != ids[next_]) & (ids[this] != IGNORE) & (ids[next_] != IGNORE)
            is_boundary[this] |= edge
            is_boundary[next_] |= edge
        return np.pad(
            np.where(is_boundary, ids, np.uint8(IGNORE)),
            self.tolerances[-1],
            constant_values=IGNORE,
        )

    def _far(self, boundary: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boundary pixels by class, and by tolerance and class those far from the other boundary.

        Looks around each pixel in growing circles. Most find their like in the first few, so that
        this is far quicker than a distance transform for each class.
        """
        places = np.flatnonzero(boundary != IGNORE)
        ids, other = boundary.ravel()[places], other.ravel()
        total = np.bincount(ids, minlength=self.classes)
        far = np.empty_like(self.mask_near)
        circles = _circles(self.tolerances[-1], boundary.shape[1])
        done = -1
        for index, tolerance in enumerate(self.tolerances):
            for squared in range(done + 1, tolerance**2 + 1):
                if squared not in circles or not places.size:
                    continue
                missed = np.ones(places.shape, bool)
                for offset in circles[squared]:
                    missed &= other[places + offset] != ids
                places, ids = places[missed], ids[missed]
            done = tolerance**2
            far[index] = np.bincount(ids, minlength=self.classes)
        return total, far


def _circles(radius: int, row: int) -> dict[int, list[int]]:
    """By squared distance, offsets to the pixels at that distance in rows of so many pixels."""
    circles: dict[int, list[int]] = {}
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            circles.setdefault(x * x + y * y, []).append(y * row + x)
    return circles


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = np.broadcast_to(whole, part.shape)
    shares = np.full(part.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
