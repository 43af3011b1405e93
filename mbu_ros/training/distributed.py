# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of a run: one as a rule, one per GPU under `torchrun`.

Rank 0 decides, writes, prints and evaluates; the others compute gradients beside it. What they must
agree on (the clock, whether a loss is finite, what rank 0 read from files) goes over a gloo group
of its own, which needs no GPU and so waits for none.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mbu_ros.errors import InputError

Value = TypeVar('Value')

PATIENCE = timedelta(hours=6)
"""How long the others wait for rank 0, which evaluates alone."""


class Ranks:
    """The processes of a run, as one of them sees them; this one is alone.

    Attributes:
        rank: of this process.
        count: how many there are.
        device: of this process.
    """

    rank, count = 0, 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes, prints and evaluates."""
        return self.rank == 0

    def agree(self, *values: float) -> tuple[float, ...]:
        """Rank 0's values, of which all must give the same number, at least one."""
        return values

    def wait_for_first(self) -> None:
        """Go on once rank 0 has come here."""
        self.agree(0.0)

    def all(self, good: bool) -> bool:
        """Whether all say yes."""
        return good

    def gather(self, value: Value) -> list[Value]:
        """What each process has, by rank."""
        return [value]

    def from_first(self, make: Callable[[], Value]) -> Value:
        """What rank 0 makes. Where it raises, so do the others: they exit without a word."""
        return make()

    def share(self, network: nn.Module) -> None:
        """Copy rank 0's parameters and buffers to all."""

    def parallel(self, module: nn.Module) -> nn.Module:
        """The module, with its gradients averaged over all processes."""
        return module

    def close(self) -> None:
        """Leave the others."""


class SeveralRanks(Ranks):
    """The processes that `torchrun` started on this machine.

    Args:
        device: 'cuda' or 'cpu'. Each process takes a GPU of its own.

    Raises:
        InputError: there are more processes than GPUs.
    """

    def __init__(self, device: str) -> None:
        local = int(os.environ['LOCAL_RANK'])
        if device == 'cuda':
            if local >= torch.cuda.device_count():
                raise InputError(
                    f'torchrun started more processes than the {torch.cuda.device_count()} GPUs '
                    'here; lower --nproc-per-node'
                )
            torch.cuda.set_device(local)
        super().__init__(torch.device(device, local) if device == 'cuda' else torch.device(device))
        dist.init_process_group('nccl' if device == 'cuda' else 'gloo', timeout=PATIENCE)
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self._control = dist.new_group(backend='gloo', timeout=PATIENCE)

    def agree(self, *values: float) -> tuple[float, ...]:
        """See `Ranks`."""
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(tensor, 0, group=self._control)
        return tuple(tensor.tolist())

    def all(self, good: bool) -> bool:
        """See `Ranks`."""
        tensor = torch.tensor(int(good))
        dist.all_reduce(tensor, dist.ReduceOp.MIN, group=self._control)
        return bool(tensor)

    def gather(self, value: Value) -> list[Value]:
        """See `Ranks`."""
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value, group=self._control)
        return values

    def from_first(self, make: Callable[[], Value]) -> Value:
        """See `Ranks`."""
        if self.first:
            try:
                value = make()
            except Exception:
                self._broadcast((False, None))
                raise
            return self._broadcast((True, value))[1]
        good, value = self._broadcast(None)
        if not good:
            raise SystemExit(2)
        return value

    def _broadcast(self, value: Any) -> Any:
        values = [value]
        dist.broadcast_object_list(values, 0, group=self._control)
        return values[0]

    @torch.no_grad()
    def share(self, network: nn.Module) -> None:
        """See `Ranks`."""
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)

    def parallel(self, module: nn.Module) -> nn.Module:
        """See `Ranks`."""
        # Of the head's 1x1 weights, whose layout has two names; it costs nothing.
        warnings.filterwarnings('ignore', message='Grad strides do not match')
        # Newer releases of PyTorch prefer a name that older ones do not know.
        warnings.filterwarnings('ignore', message='.*broadcast_buffers', category=FutureWarning)
        return DistributedDataParallel(
            module,
            device_ids=None if self.device.type == 'cpu' else [self.device.index],
            # Batch norm's statistics are taken anew at the end, so each process keeps its own.
            broadcast_buffers=False,
        )

    def close(self) -> None:
        """See `Ranks`."""
        dist.destroy_process_group()


@contextmanager
def open_ranks(device: str) -> Iterator[Ranks]:
    """This process's `Ranks`, until the end: several where `torchrun` started it.

    Args:
        device: 'cuda' or 'cpu'.

    Raises:
        InputError: there are more processes than GPUs.
    """
    several = dist.is_available() and dist.is_torchelastic_launched()
    ranks = SeveralRanks(device) if several else Ranks(torch.device(device))
    try:
        yield ranks
    finally:
        ranks.close()
