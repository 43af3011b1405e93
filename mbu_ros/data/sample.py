# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frame with its label, and the classes that the label's numbers stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IGNORE = 255
"""Label value of a pixel that counts nowhere, and mask value of an unlabelled pixel (uint8)."""


@dataclass(frozen=True)
class ClassMap:
    """Names and colours of the classes; a label value is an index into both.

    Attributes:
        names: one name per class.
        colors: one (red, green, blue) triple per class, each 0 to 255.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Sample:
    """One frame.

    Attributes:
        name: file stem, or another name unique within its source.
        image: uint8 [H, W, 3], RGB.
        label: uint8 [H, W] of class indices, `IGNORE` where unlabelled; None without labels.
        time: seconds since the start of its sequence; None where the source has no clock.
        stamp: header stamp of its message, nanoseconds since 1970; None if it is from no message.
            Several frames may have the same.
        logged: when its message was logged, nanoseconds since 1970, and how many of its topic were
            logged at that very time before it: unlike the stamp, no two of a topic share it.
    """

    name: str
    image: np.ndarray
    label: np.ndarray | None = None
    time: float | None = None
    stamp: int | None = None
    logged: tuple[int, int] | None = None
