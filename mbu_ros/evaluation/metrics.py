# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy of masks: the confusion matrix, and the figures that follow from it.

Pixels are counted first (`ConfusionMatrix`), figures are functions of the counts. Counts of frames
add up, so the figures of a data set are those of all its pixels together, not means over frames.

Policy where a figure could be undefined:
- A pixel labelled 255 (unlabelled) counts nowhere.
- A labelled pixel whose prediction is no class (255, or out of range) is wrong: it is missing from
  its class's intersection, present in its union, and counts in the accuracy's total.
- The IoU of a class that occurs neither in labels nor in predictions is NaN and left out of the
  mean; so is its F1. The mean of no class, and the accuracy of no pixel, are NaN.
- The precision of a class that is never predicted, and the recall of one that is in no label, are
  NaN.
"""

from __future__ import annotations

import numpy as np

from mbu_ros.data.sample import IGNORE
from mbu_ros.errors import InputError


class ConfusionMatrix:
    """Counts of labelled pixels by label and prediction.

    Attributes:
        counts: int64 [classes, classes], rows are labels, columns predictions.
        unpredicted: int64 [classes], by label, pixels whose prediction is no class.
    """

    def __init__(self, classes: int) -> None:
        if not 0 < classes < IGNORE:
            raise ValueError(f'{classes} classes; there must be 1 to {IGNORE - 1}')
        self.counts = np.zeros((classes, classes), np.int64)
        self.unpredicted = np.zeros(classes, np.int64)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.counts)

    @property
    def pixels(self) -> int:
        """Number of labelled pixels counted."""
        return int(self.counts.sum() + self.unpredicted.sum())

    def add(self, label: np.ndarray, prediction: np.ndarray) -> None:
        """Count the pixels of one frame, both uint8 [H, W].

        Raises:
            InputError: the two differ in size, or a label is neither a class nor 255.
        """
        if label.shape != prediction.shape:
            raise InputError(
                f'the label is {_size(label)} but the mask {_size(prediction)}; '
                'labels must have the size of their images'
            )
        labelled = label != IGNORE
        label, prediction = label[labelled], prediction[labelled]
        if label.size and label.max() >= self.classes:
            raise InputError(
                f'label value {label.max()} is neither one of the {self.classes} classes '
                f'(0 to {self.classes - 1}) nor {IGNORE} (unlabelled)'
            )
        columns = self.classes + 1  # one more for predictions that are no class
        cells = label.astype(np.intp) * columns + np.minimum(prediction, self.classes)
        counts = np.bincount(cells, minlength=self.classes * columns)
        counts = counts.reshape(self.classes, columns)
        self.counts += counts[:, :-1]
        self.unpredicted += counts[:, -1]

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        if other.classes != self.classes:
            raise ValueError(f'cannot add matrices of {self.classes} and {other.classes} classes')
        total = ConfusionMatrix(self.classes)
        total.counts += self.counts + other.counts
        total.unpredicted += self.unpredicted + other.unpredicted
        return total

    def iou(self) -> np.ndarray:
        """Intersection over union, float64 [classes]; NaN where a class occurs nowhere."""
        return class_iou(self.counts, self.unpredicted)

    def miou(self) -> float:
        """Mean IoU over the classes that occur; NaN when none does."""
        return mean_iou(self.iou())

    def pixel_accuracy(self) -> float:
        """Share of labelled pixels that are right; NaN without any."""
        return pixel_accuracy(self.counts, self.unpredicted)

    def frequency_weighted_iou(self) -> float:
        """Mean IoU weighted with how many labelled pixels each class has; NaN without any."""
        return frequency_weighted_iou(self.counts, self.unpredicted)

    def precision(self) -> np.ndarray:
        """Share of a class's predictions that are right, float64 [classes]."""
        return class_precision(self.counts)

    def recall(self) -> np.ndarray:
        """Share of a class's labelled pixels that are found, float64 [classes]."""
        return class_recall(self.counts, self.unpredicted)

    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall, float64 [classes]."""
        return class_f1(self.counts, self.unpredicted)


def class_iou(counts: np.ndarray, unpredicted: np.ndarray) -> np.ndarray:
    """IoU per class, float64 [classes], of a matrix as in `ConfusionMatrix`."""
    intersection = np.diagonal(counts)
    return _shares(intersection, _labelled_and_predicted(counts, unpredicted) - intersection)


def mean_iou(iou: np.ndarray) -> float:
    """Mean of those IoUs that are defined; NaN when none is."""
    defined = iou[~np.isnan(iou)]
    return float(defined.mean()) if defined.size else float('nan')


def pixel_accuracy(counts: np.ndarray, unpredicted: np.ndarray) -> float:
    """Share of pixels on the diagonal; NaN without any pixel."""
    total = counts.sum() + unpredicted.sum()
    return float(np.trace(counts) / total) if total else float('nan')


def frequency_weighted_iou(counts: np.ndarray, unpredicted: np.ndarray) -> float:
    """Mean of the IoUs, each weighted with the labelled pixels of its class; NaN without any."""
    labelled = counts.sum(axis=1) + unpredicted
    total = labelled.sum()
    iou = np.nan_to_num(class_iou(counts, unpredicted))
    return float(labelled @ iou / total) if total else float('nan')


def class_precision(counts: np.ndarray) -> np.ndarray:
    """Share of a class's predictions that are right, float64 [classes]; NaN where there is none."""
    return _shares(np.diagonal(counts), counts.sum(axis=0))


def class_recall(counts: np.ndarray, unpredicted: np.ndarray) -> np.ndarray:
    """Share of a class's labelled pixels that are right, float64 [classes]; NaN without any."""
    return _shares(np.diagonal(counts), counts.sum(axis=1) + unpredicted)


def class_f1(counts: np.ndarray, unpredicted: np.ndarray) -> np.ndarray:
    """F1 (Dice) per class, float64 [classes]; NaN where a class occurs nowhere."""
    return _shares(2 * np.diagonal(counts), _labelled_and_predicted(counts, unpredicted))


def _labelled_and_predicted(counts: np.ndarray, unpredicted: np.ndarray) -> np.ndarray:
    """Pixels labelled as a class plus those predicted as it, int64 [classes]."""
    both: np.ndarray = counts.sum(axis=1) + counts.sum(axis=0) + unpredicted
    return both


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _size(pixels: np.ndarray) -> str:
    return 'x'.join(str(side) for side in reversed(pixels.shape))
