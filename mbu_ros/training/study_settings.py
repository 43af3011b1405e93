# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a masking study is told, and how layers are compared when a plan is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mbu_ros.errors import InputError

ADAPT_RATE = 0.1
"""Learning rate of the few steps of adapting, over the recipe's: a trained network is near its
minimum."""


@dataclass(frozen=True)
class StudySettings:
    """What to spend on a study.

    Attributes:
        budget: operations of the chosen plan over the all-binary network's, at most; 1 to 2.
        minutes: of fine-tuning, shared by the plans of the curve.
        frames: training frames that a loss is the mean over, and as many more to adapt with.
        adapt_steps: training steps after each change, before its loss is measured.
        seed: of the choice of frames and of fine-tuning.
    """

    budget: float = 1.5
    minutes: float = 10.0
    frames: int = 64
    adapt_steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.minutes < math.inf:
            raise InputError(f'minutes is {self.minutes}; it must be positive')
        if not 1 <= self.budget <= 2:
            raise InputError(
                f'budget is {self.budget}; it must be 1 (no layer masked) to 2 (all of them, with '
                'room to spare)'
            )
        for name, low in (('frames', 1), ('adapt_steps', 0), ('seed', 0)):
            if not low <= getattr(self, name) < 2**31:
                raise InputError(
                    f'{name} is {getattr(self, name)}; it must be {low} to {2**31 - 1}'
                )
