# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA engine: see `engine.base.Engine`."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from mbu_ros.engine.base import (
    EngineError,
    Frame,
    Memory,
    RawFrame,
    Segmentation,
    check_frame,
)
from mbu_ros.engine.cuda.device import Device, closed_on_failure, megabytes
from mbu_ros.engine.cuda.frame_format import ENCODINGS, FrameFormat
from mbu_ros.engine.cuda.graph import Recorder
from mbu_ros.engine.cuda.kernels import Kernels
from mbu_ros.engine.cuda.memory import Arena
from mbu_ros.engine.cuda.network_plan import check_model
from mbu_ros.engine.cuda.parameters import Parameters
from mbu_ros.engine.cuda.session import Session, Shared
from mbu_ros.engine.cuda.sources import kernel_sources
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.model.deployed import Model

LOGGER = logging.getLogger(__name__)

MAX_BATCH = 8
"""Frames that go through the network at once; more are taken in several goes."""
MAX_SESSIONS = 8
"""Sets of frame formats that stay prepared; the one unused for longest makes room."""

SessionKey = tuple[tuple[tuple[str, int, int, int], ...], bool]
"""Encoding, height, width and step of each frame, and whether with confidence."""


class CudaEngine:
    """Runs a model on an NVIDIA GPU. It belongs to the thread that made it.

    For each new set of frame formats it prepares a session once (some milliseconds); after that a
    frame costs one launch of a CUDA graph.

    Args:
        model: what to run.
        device_index: number of the GPU.
        instruction: 'wgmma' or 'mma', to compare them on a GPU that has both; the faster if None.

    Raises:
        EngineUnavailable: this machine or its GPU cannot run the model; the text says why.
    """

    name = 'cuda'
    max_batch = MAX_BATCH

    def __init__(
        self, model: Model, device_index: int = 0, *, instruction: str | None = None
    ) -> None:
        check_model(model)
        self.model = model
        self._instruction = instruction
        self._sessions: OrderedDict[SessionKey, Session] = OrderedDict()
        self._parts: Shared | None = None
        self._device = Device(device_index)
        self.architecture = f'sm_{self._device.limits.architecture}'
        self.device = f'{self._device.name} ({self.architecture})'
        with closed_on_failure(self), self._device:
            self._prepare()

    @property
    def stream(self) -> Any:
        """The pycuda.driver.Stream that everything runs on."""
        return self._device.stream

    def segment(self, frames: Sequence[Frame], *, confidence: bool = False) -> list[Segmentation]:
        """Segment frames; see `Engine.segment`. The arrays returned are the caller's."""
        with self._device:
            results: list[Segmentation] = []
            for start in range(0, len(frames), MAX_BATCH):
                results += self._segment(frames[start : start + MAX_BATCH], confidence)
            return results

    def session(self, formats: tuple[FrameFormat, ...], confidence: bool = False) -> Session:
        """The session for frames of these formats, prepared where it is not yet.

        It stays good until `MAX_SESSIONS` others were asked for, or memory runs short.

        Raises:
            EngineError: the device has too little memory, and so on, as for `segment`.
        """
        with self._device:
            key = tuple((f.encoding, f.height, f.width, f.step) for f in formats), confidence
            return self._session(key)

    def memory(self) -> Memory:
        """What it holds of the GPU's memory; on an integrated GPU, with the frames."""
        with self._device as device:
            parts = self._open_parts()
            sessions = sum(session.own_bytes for session in self._sessions.values())
            used = parts.parameters.bytes + parts.arena.bytes + sessions
            return Memory(used, *device.free_memory())

    def close(self) -> None:
        """Free the GPU's memory and context. Twice is allowed.

        Raises:
            EngineError: another thread calls.
        """
        self._device.check_thread()
        if self._device.closed:
            return
        try:
            if not self._device.lost:  # else nothing in it can be freed but with the whole
                with self._device:
                    self._free()
        finally:
            self._device.close()
            self._sessions.clear()
            self._parts = None

    def _prepare(self) -> None:
        """Prepare for frames of the model's own size: that compiles kernels, uploads the model."""
        device = self._device
        self._parts = Shared(
            device,
            self.model,
            Recorder(device),
            Kernels(device),
            Parameters(device, self.model),
            Arena(device),
            self._instruction,
        )
        # All of them now, so that no frame has to wait for a compiler.
        self._parts.kernels.load(kernel_sources())
        height, width = self.model.input_size
        self.session((FrameFormat('rgb8', height, width, 3 * width),))

    def _open_parts(self) -> Shared:
        assert self._parts is not None  # a closed device lets nobody in
        return self._parts

    def _segment(self, frames: Sequence[Frame], confidence: bool) -> list[Segmentation]:
        frames = [_takable(frame) for frame in frames]
        key = tuple([_signature(frame) for frame in frames]), confidence
        session = self._session(key)
        for index, frame in enumerate(frames):
            session.fill(index, frame.data if isinstance(frame, RawFrame) else frame)
        session.run()
        share = 1 / len(frames)
        times = {stage: share * time for stage, time in session.stage_milliseconds().items()}
        return [
            Segmentation(
                session.mask(index).copy(),
                session.scores(index).copy() if confidence else None,
                dict(times),
            )
            for index in range(len(frames))
        ]

    def _session(self, key: SessionKey) -> Session:
        session = self._sessions.get(key)
        if session is None:
            session = self._add_session(key)
        self._sessions.move_to_end(key)
        return session

    def _add_session(self, key: SessionKey) -> Session:
        formats, confidence = key
        parts = self._open_parts()
        session = Session(parts, tuple(FrameFormat(*form) for form in formats), confidence)
        while len(self._sessions) >= MAX_SESSIONS:
            self._sessions.popitem(last=False)[1].close()
        try:
            session.open()
        except self._device.driver.MemoryError:
            LOGGER.info('GPU memory is short: all other sets of frame formats are given up')
            self._close_sessions()
            parts.arena.free()
            try:
                session.open()
            except self._device.driver.MemoryError as error:
                needed = session.memory_bytes
                raise EngineError(
                    self._too_little(
                        needed['activations'] + needed['frames'] + parts.parameters.wanted
                    )
                ) from error
        self._sessions[key] = session
        return session

    def _close_sessions(self) -> None:
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _free(self) -> None:
        self._close_sessions()
        if self._parts is not None:
            self._parts.arena.free()
            self._parts.parameters.free()
            self._parts.kernels.close()

    def _too_little(self, needed: int) -> str:
        free, total = self._device.free_memory()
        height, width = self.model.input_size
        return (
            f'the model at {width}x{height} needs {megabytes(needed)} more of GPU memory, '
            f'{megabytes(free)} of {megabytes(total)} are free on {self._device.name}; stop what '
            'else uses it, or take a smaller model'
        )


def _takable(frame: Frame) -> Frame:
    """The frame, or where the device cannot read its encoding, the frame in RGB.

    Raises:
        InputError: it is no frame.
    """
    check_frame(frame)
    if isinstance(frame, RawFrame) and frame.encoding not in ENCODINGS:
        return to_rgb(frame)
    return frame


def _signature(frame: Frame) -> tuple[str, int, int, int]:
    """Encoding, height, width and step: what a session depends on."""
    if isinstance(frame, RawFrame):
        return frame.encoding, frame.height, frame.width, frame.step
    height, width, channels = frame.shape
    return 'rgb8', height, width, width * channels
