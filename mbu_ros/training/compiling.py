# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""torch.compile where it works; without it, and with one warning, where it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import nn

log = logging.getLogger(__name__)

LOST = 0.1
"""A gradient of less than this share of the right one is lost. Equal ones differ by rounding, which
turns some signs over."""


class Compiler:
    """Compiles modules, until it has failed once.

    Attributes:
        failed: whether it has; then it does not try again.
    """

    def __init__(self) -> None:
        self.failed = False

    def compile(
        self,
        module: nn.Module,
        wrap: Callable[[nn.Module], nn.Module],
        warm_up: Callable[[nn.Module], Sequence[float]],
    ) -> nn.Module:
        """The module compiled, wrapped and warmed up; not compiled where that fails.

        What was compiled earlier is forgotten: one run compiles a new module for each stage.
        Compiled gradients are compared with those of the module itself, since there are releases
        of PyTorch that lose some of them without a word.

        Args:
            module: what to compile.
            wrap: makes of it what is called, such as a DistributedDataParallel.
            warm_up: calls the module, or what `wrap` made, as it will be called later, so that it
                is compiled now; returns the size of the gradient of each parameter.

        Raises:
            torch.cuda.OutOfMemoryError: the GPU has too little memory, compiled or not.
        """
        if not self.failed:
            torch.compiler.reset()
            try:
                expected = warm_up(module)
                wrapped = wrap(torch.compile(module, dynamic=False))
                _compare(expected, warm_up(wrapped))
                return wrapped
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:  # compilers fail in ways without a common kind
                self.failed = True
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                log.warning('torch.compile failed, training goes on without it: %s', reason)
        wrapped = wrap(module)
        warm_up(wrapped)
        return wrapped


def _compare(expected: Sequence[float], sizes: Sequence[float]) -> None:
    """Raise RuntimeError where gradients are lost."""
    lost = sum(not size >= LOST * right for right, size in zip(expected, sizes, strict=True))
    if lost:
        raise RuntimeError(
            f'the compiled network loses {lost} of {len(sizes)} gradients with PyTorch '
            f'{torch.__version__}'
        )


COMPILER = Compiler()
"""That of this process."""
