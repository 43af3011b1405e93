# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of certain formats through one model: memory, launches and graphs, all made ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mbu_ros.engine.base import STAGES, EngineError
from mbu_ros.engine.cuda.bound_plan import BoundPlan
from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.frame_format import FrameFormat
from mbu_ros.engine.cuda.graph import Marks, Recorder, Work
from mbu_ros.engine.cuda.kernels import Kernels
from mbu_ros.engine.cuda.launch import Launch
from mbu_ros.engine.cuda.memory import Arena, Constants, TransferBuffer, lay_out
from mbu_ros.engine.cuda.parameters import Parameters
from mbu_ros.engine.cuda.session_plan import session_plan
from mbu_ros.engine.cuda.timing import time_each, time_in_a_row
from mbu_ros.errors import InputError
from mbu_ros.model.deployed import Model


@dataclass(frozen=True)
class Shared:
    """What all sessions of one engine use."""

    device: Device
    model: Model
    recorder: Recorder
    kernels: Kernels
    parameters: Parameters
    arena: Arena
    instruction: str | None = None


class Session:
    """Runs batches of frames of given formats. For the engine's thread only.

    A frame goes: `fill`, `run`, `mask`. The rest is for measuring.

    Attributes:
        formats: of the frames of a batch, in order.
        confidence: whether scores come with the masks.
        launches: every launch of a batch, in order.

    Raises:
        EngineUnavailable: there is no plan for this model or these frames.
    """

    def __init__(
        self, shared: Shared, formats: tuple[FrameFormat, ...], confidence: bool = False
    ) -> None:
        self.formats = formats
        self.confidence = confidence
        self._shared = shared
        self._plan = session_plan(
            shared.model, formats, confidence, shared.device.limits, shared.instruction
        )
        self.launches: list[Launch] = self._plan.launches
        self._offsets, self._activation_bytes = lay_out(self._plan.activations)
        self._held: list[Any] = []
        self._bound: BoundPlan | None = None
        self._whole: Work | None = None
        self._compute: Work | None = None
        self._generation = -1

    def open(self) -> None:
        """Allocate, and run once, so that a launch that cannot work is found now.

        Raises:
            pycuda.driver.MemoryError: the device has too little memory; nothing of this session
                stays allocated.
        """
        shared, device = self._shared, self._shared.device
        with device:
            try:
                shared.kernels.load(launch.source for launch in self.launches)
                shared.parameters.require(self._plan.parameters)
                self._upload = self._hold(TransferBuffer(device, self._plan.frames))
                self._download = self._hold(TransferBuffer(device, self._plan.masks))
                self._tables = self._hold(Constants(device, self._plan.tables))
                self._marks = self._hold(Marks(shared.recorder, len(STAGES) + 1))
                self._inputs = [self._upload.host[f'frame{i}'] for i in range(len(self.formats))]
                self._masks = self._outputs('mask', np.uint8)
                self._scores = self._outputs('scores', np.float32) if self.confidence else []
                self._bind()
            except BaseException:
                self.close()
                raise

    @property
    def memory_bytes(self) -> dict[str, int]:
        """Device memory by use: 'parameters', 'activations', 'frames' with their masks.

        The first two are shared by all sessions of an engine: of the activations the largest
        count.
        """
        plan = self._plan
        tables = {name: table.nbytes for name, table in plan.tables.items()}
        return {
            'parameters': self._shared.parameters.bytes + lay_out(tables)[1],
            'activations': self._activation_bytes,
            'frames': lay_out(plan.frames)[1] + lay_out(plan.masks)[1],
        }

    @property
    def own_bytes(self) -> int:
        """Device memory of this session alone: frames, masks and tables."""
        memory = self.memory_bytes
        return memory['frames'] + memory['parameters'] - self._shared.parameters.bytes

    def close(self) -> None:
        """Free what it holds; masks that were views of it are lost. Twice is allowed."""
        self._drop_work()
        for part in reversed(self._held):
            part.free()
        self._held, self._inputs, self._masks, self._scores = [], [], [], []
        self._generation = -1

    def fill(self, index: int, frame: np.ndarray | Any) -> None:
        """Copy a frame to where the device takes it from.

        Args:
            frame: all bytes of a frame of format `index`: an array of any strides, or a buffer.

        Raises:
            InputError: it has more or fewer bytes than that, or is no array of bytes.
        """
        if not self._held:
            raise EngineError('this session was closed; ask the engine for it again')
        source = frame if isinstance(frame, np.ndarray) else np.frombuffer(frame, np.uint8)
        target = self._inputs[index]
        if source.dtype != np.uint8:
            raise InputError(f'a frame must be a uint8 array, this is {source.dtype}')
        self.formats[index].check_bytes(source.size)
        np.copyto(target.reshape(source.shape), source)

    def run(self) -> None:
        """Segment the frames, from upload to download; returns when the masks are there."""
        with self._ready() as device:
            self._recorded_whole().launch()
            device.stream.synchronize()

    def mask(self, index: int) -> np.ndarray:
        """Classes of a frame's pixels, uint8 [H, W]: a view that the next `run` overwrites."""
        return self._masks[index]

    def scores(self, index: int) -> np.ndarray:
        """Confidence of a frame's pixels, float32 [H, W]: a view that the next `run` overwrites."""
        return self._scores[index]

    def stage_milliseconds(self) -> dict[str, float]:
        """Time on the device of each of `STAGES` in the last `run`, without the transfers."""
        with self._shared.device:
            return dict(zip(STAGES, self._marks.milliseconds()))

    def enqueue_compute(self) -> None:
        """Enqueue resize, network and masks of the frames uploaded last; does not wait."""
        with self._ready():
            self._recorded_compute().launch()

    def synchronize(self) -> None:
        """Wait until all that was enqueued is done."""
        with self._shared.device as device:
            device.stream.synchronize()

    def device_milliseconds(self, repeat: int, *, transfers: bool = False) -> list[float]:
        """Time on the device of each of `repeat` batches in a row, of the frames filled last.

        A batch that is not timed uploads them and keeps the device busy while the others are
        enqueued, so that launching them is not part of their times.

        Args:
            transfers: time what `run` launches, not what `enqueue_compute` does: with the copies,
                and with the marks between stages, which keep those from overlapping.
        """
        with self._ready() as device:
            whole = self._recorded_whole()
            timed = whole if transfers else self._recorded_compute()
            whole.launch()
            return time_each(device, timed.launch, repeat)

    def launch_milliseconds(self, repeat: int) -> list[tuple[Launch, float]]:
        """Time on the device of each launch, in order, when it runs `repeat` times in a row."""
        with self._ready():
            recorder = self._shared.recorder
            return [
                (launch, time_in_a_row(recorder, call, repeat))
                for launch, call in self._bound_plan().calls
            ]

    def _hold(self, part: Any) -> Any:
        self._held.append(part)
        return part

    def _outputs(self, name: str, dtype: type) -> list[np.ndarray]:
        return [
            self._download.host[f'{name}{i}'].view(dtype).reshape(form.height, form.width)
            for i, form in enumerate(self.formats)
        ]

    def _ready(self) -> Device:
        """The device, once the launches fit where the activations are now."""
        if not self._held:
            raise EngineError('this session was closed; ask the engine for it again')
        if self._generation != self._shared.arena.generation:
            with self._shared.device:
                self._bind()
        return self._shared.device

    def _bind(self) -> None:
        """Fill the addresses into the launches, and record them as one piece of work."""
        shared = self._shared
        self._drop_work()
        base = shared.arena.reserve(self._activation_bytes)
        buffers = {name: base + offset for name, offset in self._offsets.items()}
        buffers |= self._upload.addresses | self._download.addresses
        constants = shared.parameters.addresses | self._tables.addresses
        self._bound = BoundPlan(shared.kernels, self._plan, buffers, constants)
        # By themselves first, so that an error can name one.
        self._bound.try_each(shared.device)
        self._whole = shared.recorder.record(self._enqueue_whole)
        self._generation = shared.arena.generation

    def _bound_plan(self) -> BoundPlan:
        assert self._bound is not None  # since `_ready`
        return self._bound

    def _recorded_whole(self) -> Work:
        assert self._whole is not None  # since `_ready`
        return self._whole

    def _recorded_compute(self) -> Work:
        if self._compute is None:
            self._compute = self._shared.recorder.record(self._bound_plan().enqueue)
        return self._compute

    def _enqueue_whole(self) -> None:
        self._upload.enqueue_upload()
        self._bound_plan().enqueue_marked(self._marks)
        self._download.enqueue_download()

    def _drop_work(self) -> None:
        for work in (self._whole, self._compute):
            if work is not None:
                work.close()
        self._whole = self._compute = self._bound = None
