# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clock by which each training step takes a second, whatever the machine does."""

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training import clock as clock_module  # noqa: E402
from mbu_ros.training import train  # noqa: E402
from mbu_ros.training.steps import Steps  # noqa: E402


class PretendedTime:
    """Stands for the module `time`.

    Attributes:
        now: the seconds.
        steps: taken so far, in all.
    """

    def __init__(self, patch):
        self.now, self.steps = 0.0, 0
        # Several wait for one another by spinning, which beside other work takes ages.
        torch.set_num_threads(1)
        patch.setattr(clock_module, 'time', self)
        patch.setattr(train, 'SETTLE_STEPS', 5)
        patch.setattr(train, 'CURVE_SETTLE_STEPS', 2)
        original = Steps.step

        def step(steps, batch, progress):
            self.now += 1.0
            self.steps += 1
            return original(steps, batch, progress)

        patch.setattr(Steps, 'step', step)

    def monotonic(self):
        return self.now
