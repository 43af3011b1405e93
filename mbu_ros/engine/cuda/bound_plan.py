# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launches of a plan with the addresses of all that they name filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mbu_ros.engine.base import STAGES
from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.graph import Marks
from mbu_ros.engine.cuda.kernels import Kernels, describe
from mbu_ros.engine.cuda.launch import Launch
from mbu_ros.engine.cuda.session_plan import SessionPlan


class BoundPlan:
    """Enqueues a plan's launches; good while its buffers stay where they are.

    Attributes:
        calls: each launch, in order, with the function that enqueues it.

    Raises:
        EngineError: a launch and its kernel do not fit together.
    """

    def __init__(
        self,
        kernels: Kernels,
        plan: SessionPlan,
        buffers: Mapping[str, int],
        constants: Mapping[str, int],
    ) -> None:
        self._stages = {
            stage: [(launch, kernels.bind(launch, buffers, constants)) for launch in launches]
            for stage, launches in plan.stages.items()
        }
        self.calls: list[tuple[Launch, Callable[[], None]]] = [
            call for stage in STAGES for call in self._stages[stage]
        ]

    def enqueue(self) -> None:
        """Enqueue all launches."""
        for _, call in self.calls:
            call()

    def enqueue_marked(self, marks: Marks) -> None:
        """Enqueue all launches, with a mark before and after each of `STAGES`."""
        marks.record(0)
        for mark, stage in enumerate(STAGES, 1):
            for _, call in self._stages[stage]:
                call()
            marks.record(mark)

    def try_each(self, device: Device) -> None:
        """Run every launch once by itself.

        Raises:
            pycuda.driver.Error: a launch was refused; the text says which.
        """
        for launch, call in self.calls:
            try:
                call()
            except device.driver.Error as error:
                raise type(error)(f'{describe(launch)}: {error}') from error
        device.stream.synchronize()
