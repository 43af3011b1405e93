# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the engine, so that the thread that receives messages never waits for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mbu_ros.node.lasting import LastingEngine


class EngineThread:
    """Makes an engine, runs jobs on it and closes it, all in one thread.

    A GPU context belongs to a thread, and an engine to the thread that made it.

    Attributes:
        engine: the engine; only jobs may use it, its `state` anyone may read.

    Raises:
        Exception: whatever `create` raises.
    """

    def __init__(self, create: Callable[[], LastingEngine]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix='engine')
        try:
            self.engine = self._pool.submit(create).result()
        except BaseException:
            self._pool.shutdown()
            raise

    def submit(self, job: Callable[..., None], *arguments: Any) -> Future[None]:
        """Run a job after those submitted before it. It must not raise: nobody would notice."""
        return self._pool.submit(job, *arguments)

    def drain(self) -> None:
        """Wait until all jobs submitted so far are done."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Wait for the jobs, free the engine and end the thread."""
        try:
            self._pool.submit(self.engine.close).result()
        finally:
            self._pool.shutdown()
