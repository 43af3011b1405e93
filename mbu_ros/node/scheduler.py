# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decides which cameras' frames the engine takes next: all that wait, as one batch, in turns."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from mbu_ros.engine.base import Frame, Segmentation
from mbu_ros.errors import InputError
from mbu_ros.node.lasting import LastingEngine

Job = Callable[[LastingEngine], None]
"""What the thread of an engine is given to run, with its engine."""


class Task(Protocol):
    """One camera's frame on its way through the engine."""

    frame: Frame
    """What the engine segments."""
    confidence: bool
    """Whether scores are wanted with the labels."""

    def finish(self, result: Segmentation, batch: int, begin: float, end: float) -> None:
        """Publish. Must not raise.

        Args:
            result: its arrays may be good until the engine's next call only.
            batch: number of frames that ran together.
            begin, end: when they were given to the engine, and when it was done; time.perf_counter.
        """

    def drop(self, error: Exception) -> None:
        """Count the frame as dropped, and say why. Must not raise."""


class Source(Protocol):
    """A camera, as the scheduler sees it."""

    def take(self, engine: LastingEngine) -> Task | None:
        """Its newest frame; None if none waits, or if it cannot be used. Must not raise."""


class Scheduler:
    """Gathers what waits of all cameras into batches. May be used from several threads.

    Cameras are served in the order in which they began to wait, so that none starves where more of
    them wait than a batch of the engine holds. At most one job waits with the engine's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._sources: dict[Source, None] = {}
        self._waiting: dict[Source, None] = {}
        self._submit: Callable[[Job], None] | None = None
        self._generation = 0
        self._is_submitted = False

    def attach(self, submit: Callable[[Job], None] | None) -> None:
        """Say where jobs go from now on.

        Frames that wait go there too; a job that the old place has not begun does nothing there.
        A batch that runs at the old place goes on, and the new place's first one waits for it, so
        that results keep their order.

        Args:
            submit: has the job it is given run, some time later, in the thread of an engine and
                with that engine: `lambda job: worker.submit(job, worker.engine)`. None: frames
                wait.
        """
        with self._lock:
            self._submit = submit
            self._generation += 1
            self._is_submitted = False
            self._submit_if_needed()

    def add(self, source: Source) -> None:
        """Take a camera in."""
        with self._lock:
            self._sources[source] = None

    def remove(self, source: Source) -> None:
        """Leave a camera out. A frame of it may still be in the batch that runs."""
        with self._lock:
            self._sources.pop(source, None)
            self._waiting.pop(source, None)

    def notify(self, source: Source) -> None:
        """Say that a frame of this camera waits; of no consequence if it was not added."""
        with self._lock:
            if source in self._sources:
                self._waiting.setdefault(source)
                self._submit_if_needed()

    def _run(self, generation: int, engine: LastingEngine) -> None:
        with self._running:
            with self._lock:
                if generation != self._generation:
                    return
                self._is_submitted = False
            tasks = self._take(engine)
            with self._lock:
                self._submit_if_needed()
            self._segment(engine, tasks)

    def _submit_if_needed(self) -> None:
        if self._submit is not None and self._waiting and not self._is_submitted:
            self._is_submitted = True
            # Under the lock, so that nothing is given to a place that was just left.
            self._submit(functools.partial(self._run, self._generation))

    def _take(self, engine: LastingEngine) -> list[Task]:
        """The frames that wait, of as many cameras as a batch holds."""
        tasks: dict[Source, Task] = {}
        with self._lock:
            waiting = list(self._waiting)
            order = {source: index for index, source in enumerate(self._sources)}
        for source in waiting:
            if len(tasks) == engine.max_batch:
                break
            with self._lock:
                self._waiting.pop(source, None)
            task = source.take(engine)
            if task is not None:
                tasks[source] = task
        # Always alike: an engine prepares itself anew for each new order of sizes.
        return [tasks[source] for source in order if source in tasks]

    def _segment(self, engine: LastingEngine, tasks: list[Task]) -> None:
        # Scores cost time and memory, so they are not computed for frames that need none.
        for wanted in (False, True):
            group = [task for task in tasks if task.confidence == wanted]
            if group:
                self._segment_alike(engine, group)

    def _segment_alike(self, engine: LastingEngine, tasks: Sequence[Task]) -> None:
        begin = time.perf_counter()
        try:
            results = engine.segment(
                [task.frame for task in tasks], confidence=tasks[0].confidence
            )
        except InputError as error:
            if len(tasks) == 1:
                tasks[0].drop(error)
                return
            # One of them is bad; the others must not pay for it.
            for task in tasks:
                self._segment_alike(engine, [task])
            return
        # Whatever an engine throws at a frame must not end the stream.
        except Exception as error:
            for task in tasks:
                task.drop(error)
            return
        end = time.perf_counter()
        for task, result in zip(tasks, results):
            task.finish(result, len(tasks), begin, end)
