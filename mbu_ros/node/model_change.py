# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the engine of another model, and frees the old one, beside the stream of frames."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from mbu_ros.node.engines import ModelFile
from mbu_ros.node.worker import EngineThread


class ModelChange:
    """One background thread that makes and frees engines, one after the other.

    So at most two engines share a device, whatever is asked for in the meantime.

    Args:
        make: makes a warm engine for a model.
        wake: called from the background thread when one was made, or could not be made.

    Attributes:
        target: what an engine is made for; None when none is.
    """

    def __init__(
        self, make: Callable[[ModelFile], EngineThread], wake: Callable[[], None]
    ) -> None:
        self._make = make
        self._wake = wake
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix='model_change')
        self._making: Future[EngineThread] | None = None
        self.target: ModelFile | None = None

    @property
    def finished(self) -> bool:
        """Whether `take` has something to give."""
        return self._making is not None and self._making.done()

    def begin(self, target: ModelFile) -> None:
        """Start to make an engine; the one before must have been taken."""
        self.target = target
        self._making = self._pool.submit(self._make, target)
        self._making.add_done_callback(lambda _: self._wake())

    def take(self) -> EngineThread:
        """The engine that was made; from now on the caller's.

        Raises:
            Exception: what kept it from being made.
        """
        making, self._making, self.target = self._making, None, None
        return making.result()

    def retire(self, worker: EngineThread) -> None:
        """Close an engine once it is done with its jobs; does not wait for that."""
        self._pool.submit(worker.close)

    def close(self) -> None:
        """Wait until all is done, and free an engine that nobody took."""
        self._wake = lambda: None
        if self._making is not None:
            if self._making.exception() is None:
                self.retire(self._making.result())
            self._making = self.target = None
        self._pool.shutdown()
