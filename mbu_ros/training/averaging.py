# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The exponential moving average of a network's weights, which is better than the last of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average:
    """Averages a network's parameters; its batch norms' statistics must then be taken anew.

    Args:
        network: what is trained.
        decay: per step; 0: the average is the network itself.

    Attributes:
        steps: how many are in it.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._parameters = list(network.parameters())
        self._decay = decay
        self.steps = 0
        self._values = [p.detach().clone() for p in self._parameters] if decay else []

    @torch.no_grad()
    def update(self) -> None:
        """Take the parameters in, after each step."""
        self.steps += 1
        if self._decay:
            # The first steps count little, or the average would long be near where it started.
            decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
            torch._foreach_lerp_(self._values, self._parameters, 1 - decay)

    @torch.no_grad()
    def copy_to(self, network: nn.Module) -> None:
        """Make the average the parameters of a network of the same kind."""
        for parameter, value in zip(network.parameters(), self._values or self._parameters):
            parameter.copy_(value)

    def state(self) -> dict[str, int | list[Tensor]]:
        """For a checkpoint."""
        return {'steps': self.steps, 'values': self._values}

    @torch.no_grad()
    def load_state(self, state: dict) -> None:
        """Go on where `state` was taken."""
        self.steps = state['steps']
        for value, saved in zip(self._values, state['values'], strict=True):
            value.copy_(saved)
