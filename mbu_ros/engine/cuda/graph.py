# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CUDA graphs through cuda-bindings: what was enqueued once is launched again as a whole.

PyCUDA has no graphs, but what it enqueues on a stream can be captured. Without cuda-bindings the
same work is enqueued anew each time: the same results, at several times the cost on the CPU.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

from mbu_ros.engine.cuda.device import Device

LOGGER = logging.getLogger(__name__)

_EVENT_DEFAULT, _EVENT_EXTERNAL = 0, 1  # CUevent_record_flags; external ones only in a capture


DEPENDENT_LAUNCH_ARCHITECTURE = 90
"""From here on a kernel can start while the one before it ends."""


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
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.bindings = _load_bindings()
        self.capturing = False
        if self.bindings is not None:
            self.stream = self.bindings.CUstream(device.stream.handle)

    def record(self, enqueue: Callable[[], None]) -> Work:
        """Make work of what `enqueue` enqueues, which must be the same at every call."""
        return PlainWork(enqueue) if self.bindings is None else Graph(self, enqueue)

    def check(self, result: tuple) -> Any:
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
        self._bindings = bindings = recorder.bindings
        self._stream = stream = recorder.stream
        self._executable = None
        check = recorder.check
        # Relaxed: Python may free another engine's memory at any point of this thread, which the
        # stricter modes punish by failing the capture.
        mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
        check(bindings.cuStreamBeginCapture(stream, mode))
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
        graph = check(bindings.cuStreamEndCapture(stream))
        try:
            if recorder.device.limits.architecture >= DEPENDENT_LAUNCH_ARCHITECTURE:
                let_kernels_overlap(bindings, graph, check)
            self._executable = check(bindings.cuGraphInstantiate(graph, 0))
            check(bindings.cuGraphUpload(self._executable, stream))
        except BaseException:
            self.close()
            raise
        finally:
            bindings.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Enqueue the graph."""
        self._recorder.check(self._bindings.cuGraphLaunch(self._executable, self._stream))

    def close(self) -> None:
        """Free the graph. Twice is allowed."""
        if self._executable is not None:
            self._bindings.cuGraphExecDestroy(self._executable)
            self._executable = None


def let_kernels_overlap(bindings: ModuleType, graph: Any, check: Callable[[tuple], Any]) -> None:
    """Make the edges from kernel to kernel of a captured graph programmatic.

    Then a kernel may be launched while the one before it ends, which hides the latency of its
    launch. Each of our kernels waits by itself, before it reads or writes what others do (see
    kernels/dependent_launch.cuh).
    """
    edges = bindings.cuGraphGetEdges(graph)
    check(edges[:1])
    edges = bindings.cuGraphGetEdges(graph, edges[-1])
    check(edges[:1])
    kernel = bindings.CUgraphNodeType.CU_GRAPH_NODE_TYPE_KERNEL
    pairs = [
        (start, end)
        for start, end in zip(edges[1], edges[2])
        if check(bindings.cuGraphNodeGetType(start)) == kernel
        and check(bindings.cuGraphNodeGetType(end)) == kernel
    ]
    if not pairs:
        return
    starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
    data = bindings.CUgraphEdgeData()
    data.type = int(bindings.CUgraphDependencyType.CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC)
    data.from_port = bindings.CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC
    # In cuda-bindings 12 the functions that know of edge data have names of their own.
    suffix = '_v2' if hasattr(bindings, 'cuGraphAddDependencies_v2') else ''
    remove = getattr(bindings, f'cuGraphRemoveDependencies{suffix}')
    add = getattr(bindings, f'cuGraphAddDependencies{suffix}')
    check(remove(graph, starts, ends, None, len(pairs)))
    check(add(graph, starts, ends, [data] * len(pairs), len(pairs)))


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


def _load_bindings() -> ModuleType | None:
    global _warned
    try:
        return importlib.import_module('cuda.bindings.driver')
    except ImportError as error:
        if not _warned:
            LOGGER.warning(
                'no CUDA graphs (%s), so that each kernel is launched by itself, which costs time '
                "on the CPU; pip install 'mbu_ros[cuda]' brings cuda-bindings",
                error,
            )
            _warned = True
        return None
