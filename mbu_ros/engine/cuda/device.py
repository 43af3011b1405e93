# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU as one thread uses it: found, checked, its context current only while it is worked on."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import threading
import weakref
from collections.abc import Iterator
from types import ModuleType, TracebackType
from typing import Any

from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.engine.cuda.architecture import OLDEST
from mbu_ros.engine.cuda.driver import architecture_of, find_gpu, load_driver
from mbu_ros.engine.cuda.launch import DeviceLimits

LOGGER = logging.getLogger(__name__)

FIRST_WITHOUT_BINARY_CORES = 100
"""From this architecture on, the binary matrix products are emulated: exact, but slow."""
_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: not ordered after what others, such as torch, enqueue


class Device:
    """One GPU, for the thread that made this. `with device:` makes its context current.

    It is the primary context, which torch and others in the process use too. It is current only
    inside of `with`, whatever happens there, because PyCUDA aborts a process that ends with a
    context left current. An error of PyCUDA that leaves the outermost `with` turns into an
    EngineError.

    Attributes:
        driver: the module pycuda.driver.
        name: such as 'NVIDIA H200'.
        limits: what plans need to know of it.
        integrated: whether it shares the CPU's memory, as on a Jetson.
        stream: where everything is enqueued; None once closed.
        lost: what to tell of a context that no longer works; None while it does.

    Raises:
        EngineUnavailable: PyCUDA, the driver or the GPU is missing, or the GPU is too old.
    """

    def __init__(self, index: int = 0) -> None:
        self.driver = load_driver()
        handle = find_gpu(self.driver, index)
        self.name = handle.name()
        self.limits = _limits(self.driver, handle)
        self.integrated = bool(_attribute(self.driver, handle, 'INTEGRATED'))
        if self.limits.architecture < OLDEST:
            major, minor = divmod(self.limits.architecture, 10)
            raise EngineUnavailable(
                f'{self.name} has compute capability {major}.{minor}, the kernels need 8.0 '
                '(Ampere, Orin) or newer'
            )
        if self.limits.architecture >= FIRST_WITHOUT_BINARY_CORES:
            LOGGER.warning(
                '%s has no binary Tensor Cores: masks will be right, but slow to come', self.name
            )
        self.stream: Any = None
        self._thread = threading.get_ident()
        self._depth = 0
        self.lost: str | None = None
        try:
            self._context = handle.retain_primary_context()
        except self.driver.Error as error:
            raise EngineUnavailable(
                f'{self.name} gives this process no context ({error}); see with nvidia-smi whether '
                'another process has it for itself or its memory is full'
            ) from error
        # Also for an engine that nobody closed, until the process ends at the latest.
        self._release = weakref.finalize(self, _release, self._context, self._thread)
        with closed_on_failure(self), self:
            self.stream = self.driver.Stream(_NON_BLOCKING)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._release.alive

    def check_thread(self) -> None:
        """Raise EngineError unless this is the thread that made the device."""
        if threading.get_ident() != self._thread:
            raise EngineError(
                'a CUDA engine can be used only by the thread that made it; make one per thread'
            )

    def __enter__(self) -> Device:
        self.check_thread()
        if self._depth == 0:
            if self.closed:
                raise EngineError('this CUDA engine was closed; make a new one')
            if self.lost:
                raise EngineError(self.lost)
            self._context.push()
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth:
            return
        try:
            if isinstance(error, self.driver.Error):
                raise EngineError(self._explain(error)) from error
        finally:
            self._context.pop()

    def free_memory(self) -> tuple[int, int]:
        """Bytes that are free, and bytes that there are."""
        with self:
            free, total = self.driver.mem_get_info()
            return free, total

    def close(self) -> None:
        """Give the context back; what was allocated in it must be freed before. Twice is allowed.

        Raises:
            EngineError: another thread calls.
        """
        self.check_thread()
        if self.closed:
            return
        if not self.lost:
            self._context.push()
            self.stream = None  # PyCUDA destroys it now, in its context
            self._context.pop()
        self._release()
        self.stream = None

    def _explain(self, error: Exception) -> str:
        """What to tell of an error of PyCUDA; notes whether the context survived it."""
        try:
            if isinstance(error, self.driver.MemoryError):
                free, total = self.driver.mem_get_info()
                return (
                    f'{self.name} is out of memory ({megabytes(free)} of {megabytes(total)} are '
                    'free); stop what else uses it, or use smaller frames'
                )
            # Not the context: another engine's stream may be in the middle of a capture.
            if self.stream is not None:
                self.stream.synchronize()
        except self.driver.Error:
            self.lost = (
                f'{self.name} failed while it ran ({error}), and its context is lost: close this '
                'engine and make a new one, or restart the process if that fails too'
            )
            return self.lost
        return f'{self.name} refused a call: {error}'


@contextlib.contextmanager
def closed_on_failure(part: Any) -> Iterator[None]:
    """Close `part` where opening it fails.

    Raises:
        EngineUnavailable: in the place of an EngineError; whatever else is raised stays as it is.
    """
    try:
        yield
    except EngineError as error:
        part.close()
        raise EngineUnavailable(str(error)) from error
    except BaseException:
        part.close()
        raise


def megabytes(count: int) -> str:
    """Bytes in words, such as '1,234 MB'."""
    return f'{count / 1e6:,.0f} MB'


def _limits(driver: ModuleType, handle: Any) -> DeviceLimits:
    return DeviceLimits(
        architecture=architecture_of(handle),
        multiprocessors=_attribute(driver, handle, 'MULTIPROCESSOR_COUNT'),
        shared_per_block=_attribute(driver, handle, 'MAX_SHARED_MEMORY_PER_BLOCK_OPTIN'),
    )


def _attribute(driver: ModuleType, handle: Any, name: str) -> int:
    value: int = handle.get_attribute(getattr(driver.device_attribute, name))
    return value


def _release(context: Any, thread: int) -> None:
    """Give a primary context back.

    PyCUDA does so for a context that is current, or that it makes current for it, but then leaves
    it on the driver's stack; and when it is dropped without a word, PyCUDA takes it for a context
    of its own. In another thread than its own it is only marked as not to be used.
    """
    if threading.get_ident() == thread:
        context.push()
        _pop_current()
    context.detach()


def _pop_current() -> None:
    """Take the current context off the driver's stack without PyCUDA's knowing."""
    ctypes.CDLL('libcuda.so.1').cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
