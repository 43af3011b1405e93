# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes batch norm fit weights that have changed."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mbu_ros.network.unet import UNet


@torch.no_grad()
def settle(network: UNet, batches: Iterable[Tensor]) -> None:
    """Take batch norm's statistics anew, as plain means over batches of frames."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    network.train()
    for batch in batches:
        network(batch)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    network.train(was_training)
