# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The best of what a network was while it was trained: early stopping, without stopping early."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from mbu_ros.network.unet import UNet


class Best:
    """Holds a copy of the network of the best look so far.

    Attributes:
        step: when that look was; None before the first that told anything.
    """

    def __init__(self) -> None:
        self.step: int | None = None
        self._miou = -math.inf
        self._state: dict[str, Tensor] = {}

    def offer(self, network: UNet, step: int, miou: float) -> None:
        """Keep the network of a look, where it is better than all before; never where NaN."""
        if miou > self._miou:
            self.step, self._miou = step, miou
            self._state = {name: value.clone() for name, value in network.state_dict().items()}

    def copy_to(self, network: UNet) -> None:
        """Make the network what is kept; it stays as it is where nothing is."""
        if self.step is not None:
            network.load_state_dict(self._state)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {'step': self.step, 'miou': self._miou, 'network': self._state}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.step, self._miou, self._state = state['step'], state['miou'], state['network']
