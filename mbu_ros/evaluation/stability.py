# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Temporal stability: how much masks change from one frame to the next, and where labels do not.

    change  = share of all pixels whose mask is another than in the frame before,
    flicker = the same among pixels whose label is valid in both frames and has not changed.

Change without labels also holds what moved in the image; flicker is the model's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mbu_ros.data.sample import IGNORE


@dataclass(frozen=True)
class StabilityCounts:
    """Pixels of pairs of consecutive frames; counts of pairs add up with `+`.

    Attributes:
        pixels: all of them.
        changed: those whose mask changed.
        still: those whose label is valid in both frames and the same.
        flickered: those of `still` whose mask changed.
    """

    pixels: int = 0
    changed: int = 0
    still: int = 0
    flickered: int = 0

    @classmethod
    def of_pair(
        cls,
        mask_before: np.ndarray,
        mask: np.ndarray,
        label_before: np.ndarray | None = None,
        label: np.ndarray | None = None,
    ) -> StabilityCounts:
        """Compare two consecutive frames, all uint8 [H, W]; nothing is counted where sizes differ.

        `still` is 0 unless both have a label.
        """
        if mask.shape != mask_before.shape:
            return cls()
        changed = mask != mask_before
        if label is None or label_before is None or label.shape != label_before.shape:
            return cls(mask.size, int(np.count_nonzero(changed)))
        still = (label == label_before) & (label != IGNORE)
        return cls(
            mask.size,
            int(np.count_nonzero(changed)),
            int(np.count_nonzero(still)),
            int(np.count_nonzero(still & changed)),
        )

    def __add__(self, other: StabilityCounts) -> StabilityCounts:
        return StabilityCounts(
            self.pixels + other.pixels,
            self.changed + other.changed,
            self.still + other.still,
            self.flickered + other.flickered,
        )

    def change(self) -> float | None:
        """Share of pixels whose mask changed; None without a pair of frames."""
        return self.changed / self.pixels if self.pixels else None

    def flicker(self) -> float | None:
        """Share of pixels with an unchanged label whose mask changed; None without any."""
        return self.flickered / self.still if self.still else None
