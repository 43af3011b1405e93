# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What became of the frames that a camera sent to a node."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Exchange:
    """Frames of one camera, their masks, and when.

    Attributes:
        sent: stamps of the frames in nanoseconds, in order, with time.perf_counter() just before.
        masks: time.perf_counter() at which their masks came, by stamp.
        times: milliseconds that the node told of them, by stamp and key.
    """

    sent: dict[int, float] = field(default_factory=dict)
    masks: dict[int, float] = field(default_factory=dict)
    times: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def received(self) -> int:
        """Frames with a mask."""
        return len(self.masks)

    @property
    def lost(self) -> int:
        """Frames without a mask."""
        return len(self.sent) - len(self.masks)

    @property
    def latencies(self) -> dict[int, float]:
        """Milliseconds from before a frame is published until its mask is there, by stamp.

        In the order in which frames were sent; only those with a mask.
        """
        return {
            stamp: (self.masks[stamp] - begin) * 1e3
            for stamp, begin in self.sent.items()
            if stamp in self.masks
        }

    @property
    def seconds(self) -> float:
        """From the first frame sent to the last."""
        begins = list(self.sent.values())
        return begins[-1] - begins[0] if begins else 0.0

    @property
    def rate(self) -> float:
        """Frames a second that were really sent; 0 for fewer than two frames."""
        return (len(self.sent) - 1) / self.seconds if self.seconds else 0.0
