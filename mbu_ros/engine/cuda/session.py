# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of certain formats through one model: memory, launches and graphs, all made ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mbu_ros.engine.base import STAGES, EngineError
from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.frame_format import FrameFormat
from mbu_ros.engine.cuda.frame_plan import frame_constants, input_launches, mask_launches
from mbu_ros.engine.cuda.graph import Marks, Recorder, Work
from mbu_ros.engine.cuda.kernels import Kernels, describe
from mbu_ros.engine.cuda.launch import Launch
from mbu_ros.engine.cuda.memory import Arena, Constants, TransferBuffer, lay_out
from mbu_ros.engine.cuda.network_plan import network_plan
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
    constants: Constants
    arena: Arena


class Session:
    """Runs batches of frames of given formats. For the engine's thread only.

    A frame goes: `fill`, `run`, `mask`. The rest is for measuring.

    Attributes:
        formats: of the frames of a batch, in order.
        confidence: whether scores come with the masks.
        launches: every launch of a batch, in order.
        memory_bytes: device memory by use: 'parameters' of the model, 'activations' (which all
            sessions of an engine share: the largest counts), 'frames' and their masks.

    Raises:
        EngineUnavailable: there is no plan for this model or these frames.
    """

    def __init__(
        self, shared: Shared, formats: tuple[FrameFormat, ...], confidence: bool = False
    ) -> None:
        self.formats = formats
        self.confidence = confidence
        self._shared = shared
        model, indexed = shared.model, list(enumerate(formats))
        plan = network_plan(model, len(formats), confidence, shared.device.limits)
        self._stages = {
            'resize': [x for i, form in indexed for x in input_launches(model, form, i)],
            'network': plan.launches,
            'mask': [x for i, form in indexed for x in mask_launches(model, form, i, confidence)],
        }
        self.launches: list[Launch] = [x for stage in STAGES for x in self._stages[stage]]
        self._tables = {}
        for form in formats:
            self._tables |= frame_constants(model, form)
        self._frame_sizes = {f'frame{i}': form.bytes for i, form in indexed}
        self._mask_sizes = {f'mask{i}': form.height * form.width for i, form in indexed}
        if confidence:
            pixels = self._mask_sizes.values()
            self._mask_sizes |= {f'scores{i}': 4 * count for i, count in enumerate(pixels)}
        self._offsets, self._activation_bytes = lay_out(plan.buffers)
        self.memory_bytes = {
            'parameters': shared.constants.bytes
            + lay_out({name: table.nbytes for name, table in self._tables.items()})[1],
            'activations': self._activation_bytes,
            'frames': lay_out(self._frame_sizes)[1] + lay_out(self._mask_sizes)[1],
        }
        self._held: list[Any] = []
        self._calls: dict[str, list[Callable[[], None]]] = {}
        self._whole: Work | None = None
        self._compute: Work | None = None
        self._generation = -1

    def open(self) -> None:
        """Allocate, and run once, so that a launch that cannot work is found now.

        Raises:
            pycuda.driver.MemoryError: the device has too little memory; nothing stays allocated.
        """
        shared, device = self._shared, self._shared.device
        with device:
            try:
                shared.kernels.load(launch.source for launch in self.launches)
                self._upload = self._hold(TransferBuffer(device, self._frame_sizes))
                self._download = self._hold(TransferBuffer(device, self._mask_sizes))
                self._constants = self._hold(Constants(device, self._tables))
                self._marks = self._hold(Marks(shared.recorder, len(STAGES) + 1))
                self._inputs = [self._upload.host[f'frame{i}'] for i in range(len(self.formats))]
                self._masks = self._outputs('mask', np.uint8)
                self._scores = self._outputs('scores', np.float32) if self.confidence else []
                self._bind()
            except BaseException:
                self.close()
                raise

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
            InputError: it has more or fewer bytes than that.
        """
        if not self._held:
            raise EngineError('this session was closed; ask the engine for it again')
        source = frame if isinstance(frame, np.ndarray) else np.frombuffer(frame, np.uint8)
        target = self._inputs[index]
        if source.size != target.size or source.dtype != np.uint8:
            form = self.formats[index]
            raise InputError(
                f'{form.encoding} image of {form.width}x{form.height} with step {form.step} must '
                f'have {form.bytes} bytes of data, this has {source.size} of {source.dtype}'
            )
        np.copyto(target.reshape(source.shape), source)

    def run(self) -> None:
        """Segment the frames, from upload to download; returns when the masks are there."""
        with self._ready() as device:
            self._whole.launch()
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
            if self._compute is None:
                self._compute = self._shared.recorder.record(self._enqueue_compute)
            self._compute.launch()

    def synchronize(self) -> None:
        """Wait until all that was enqueued is done."""
        with self._shared.device as device:
            device.stream.synchronize()

    def device_milliseconds(self, repeat: int) -> list[float]:
        """Time on the device of each of `repeat` calls of `enqueue_compute` in a row."""
        with self._ready() as device:
            self.enqueue_compute()
            return time_each(device, self.enqueue_compute, repeat)

    def launch_milliseconds(self, repeat: int) -> list[tuple[Launch, float]]:
        """Time on the device of each launch, in order, when it runs `repeat` times in a row."""
        with self._ready():
            calls = [call for stage in STAGES for call in self._calls[stage]]
            recorder = self._shared.recorder
            return [
                (launch, time_in_a_row(recorder, call, repeat))
                for launch, call in zip(self.launches, calls)
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
        constants = shared.constants.addresses | self._constants.addresses
        self._calls = {
            stage: [shared.kernels.bind(launch, buffers, constants) for launch in launches]
            for stage, launches in self._stages.items()
        }
        self._try()
        self._whole = shared.recorder.record(self._enqueue_whole)
        self._generation = shared.arena.generation

    def _try(self) -> None:
        """Run every launch once by itself, so that an error can name it."""
        device = self._shared.device
        for stage in STAGES:
            for launch, call in zip(self._stages[stage], self._calls[stage]):
                try:
                    call()
                except device.driver.Error as error:
                    raise type(error)(f'{describe(launch)}: {error}') from error
        device.stream.synchronize()

    def _enqueue_whole(self) -> None:
        self._upload.enqueue_upload()
        self._marks.record(0)
        for mark, stage in enumerate(STAGES, 1):
            for call in self._calls[stage]:
                call()
            self._marks.record(mark)
        self._download.enqueue_download()

    def _enqueue_compute(self) -> None:
        for stage in STAGES:
            for call in self._calls[stage]:
                call()

    def _drop_work(self) -> None:
        for work in (self._whole, self._compute):
            if work is not None:
                work.close()
        self._whole = self._compute = None
        self._calls = {}
