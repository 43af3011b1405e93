# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CUDA graphs through cuda-bindings: what was enqueued once is launched again as a whole.

PyCUDA has no graphs, but what it enqueues on a stream can be captured. Without cuda-bindings the
same work is enqueued anew each time: the same results, at several times the cost on the CPU.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.overlap import OLDEST_OVERLAPPING, let_kernels_overlap

LOGGER = logging.getLogger(__name__)

_EVENT_DEFAULT, _EVENT_EXTERNAL = 0, 1  # CUevent_record_flags; external ones only in a capture


class Work(Protocol):
    """Something that can be enqueued again and again."""

    def launch(self) -> None:
        """Enqueue it on the device's stream."""

    def close(self) -> None:
        """Free what it holds. Twice is allowed."""


class Recorder:
    """Turns functions that enqueue into `Work`: graphs where that is possible.

    Attributes:
        bindings: the module cuda.bindings.driver, or None: then work is enqueued call by call.
        capturing: whether a capture is going on.
        overlaps: whether the kernels of a graph may overlap; False once that was refused.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.bindings = _load_bindings()
        self.capturing = False
        self.overlaps = device.limits.architecture >= OLDEST_OVERLAPPING
        if self.bindings is not None:
            self.stream = self.bindings.CUstream(device.stream.handle)

    def record(self, enqueue: Callable[[], None]) -> Work:
        """Make work of what `enqueue` enqueues, which must be the same at every call."""
        return PlainWork(enqueue) if self.bindings is None else Graph(self, enqueue)

    def check(self, result: tuple[Any, ...]) -> Any:
        """The value that a call of cuda-bindings returned, None where it returns none.

        Raises:
            pycuda.driver.Error: the call failed; MemoryError where memory was short.
        """
        code = result[0]
        if int(code) == 0:
            return result[1] if len(result) > 1 else None
        driver = self.device.driver
        memory = code == self.bindings.CUresult.CUDA_ERROR_OUT_OF_MEMORY
        raise (driver.MemoryError if memory else driver.LogicError)(f'cuda-bindings: {code.name}')


class PlainWork:
    """Work that is enqueued call by call."""

    def __init__(self, enqueue: Callable[[], None]) -> None:
        self.launch = enqueue

    def close(self) -> None:
        """Nothing to free."""


class Graph:
    """Work captured as a CUDA graph."""

    def __init__(self, recorder: Recorder, enqueue: Callable[[], None]) -> None:
        self._recorder = recorder
        self._bindings = recorder.bindings
        self._executable = None
        if recorder.overlaps:
            self._executable = self._instantiate_overlapping(enqueue)
        if self._executable is None:
            with self._captured(enqueue) as graph:
                self._executable = recorder.check(self._bindings.cuGraphInstantiate(graph, 0))
        try:
            recorder.check(self._bindings.cuGraphUpload(self._executable, recorder.stream))
        except BaseException:
            self.close()
            raise

    def _instantiate_overlapping(self, enqueue: Callable[[], None]) -> Any:
        """An executable graph whose kernels overlap; None where that is refused."""
        recorder, bindings = self._recorder, self._bindings
        with self._captured(enqueue) as graph:
            try:
                let_kernels_overlap(bindings, graph, recorder.check)
                return recorder.check(bindings.cuGraphInstantiate(graph, 0))
            except recorder.device.driver.MemoryError:
                raise
            # The last two: of a function that the bindings or the driver do not have.
            except (recorder.device.driver.Error, RuntimeError, AttributeError) as error:
                LOGGER.warning(
                    'kernels do not overlap (%s), which costs a little time on the GPU; '
                    'a newer NVIDIA driver may help',
                    error,
                )
                recorder.overlaps = False
                return None

    @contextlib.contextmanager
    def _captured(self, enqueue: Callable[[], None]) -> Iterator[Any]:
        """What `enqueue` enqueues, as a graph that is destroyed in the end."""
        recorder, bindings, stream = self._recorder, self._bindings, self._recorder.stream
        # Relaxed: Python may free another engine's memory at any point of this thread, which the
        # stricter modes punish by failing the capture.
        mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
        recorder.check(bindings.cuStreamBeginCapture(stream, mode))
        recorder.capturing = True
        try:
            enqueue()
        except BaseException:
            graph = bindings.cuStreamEndCapture(stream)[1]
            if graph is not None:
                bindings.cuGraphDestroy(graph)
            raise
        finally:
            recorder.capturing = False
        graph = recorder.check(bindings.cuStreamEndCapture(stream))
        try:
            yield graph
        finally:
            bindings.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Enqueue the graph."""
        recorder = self._recorder
        recorder.check(self._bindings.cuGraphLaunch(self._executable, recorder.stream))

    def close(self) -> None:
        """Free the graph. Twice is allowed."""
        if self._executable is not None:
            self._bindings.cuGraphExecDestroy(self._executable)
            self._executable = None


class Marks:
    """Points in a stream whose times are taken at every pass, also inside of a graph."""

    def __init__(self, recorder: Recorder, count: int) -> None:
        self._recorder = recorder
        self._bindings = recorder.bindings
        self._events: list[Any] = []
        for _ in range(count):
            if self._bindings is None:
                self._events.append(recorder.device.driver.Event())
            else:
                self._events.append(recorder.check(self._bindings.cuEventCreate(0)))

    def record(self, index: int) -> None:
        """Enqueue a mark."""
        recorder, event = self._recorder, self._events[index]
        if self._bindings is None:
            event.record(recorder.device.stream)
            return
        flags = _EVENT_EXTERNAL if recorder.capturing else _EVENT_DEFAULT
        recorder.check(self._bindings.cuEventRecordWithFlags(event, recorder.stream, flags))

    def milliseconds(self) -> list[float]:
        """Times between neighbouring marks, once all were passed."""
        pairs = zip(self._events, self._events[1:])
        if self._bindings is None:
            return [end.time_since(start) for start, end in pairs]
        check, elapsed = self._recorder.check, self._bindings.cuEventElapsedTime
        return [check(elapsed(start, end)) for start, end in pairs]

    def free(self) -> None:
        """Free the events. Twice is allowed."""
        if self._bindings is not None:
            for event in self._events:
                self._bindings.cuEventDestroy(event)
        self._events = []


_warned = False


def _load_bindings() -> Any:
    """The module cuda.bindings.driver, None where it is missing."""
    global _warned
    try:
        return importlib.import_module('cuda.bindings.driver')
    except ImportError as error:
        if not _warned:
            LOGGER.warning(
                'no CUDA graphs (%s), so that each kernel is launched by itself, which costs time '
                'on the CPU: pip install cuda-bindings',
                error,
            )
            _warned = True
        return None
