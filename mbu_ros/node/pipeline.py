# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What configuring the node makes: its cameras, and the engine that they share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from rclpy.node import Node

from mbu_ros.node.cameras import Camera
from mbu_ros.node.engines import ModelFile, is_unchanged, make_worker, read_model
from mbu_ros.node.failures import describe_failure
from mbu_ros.node.lasting import EngineState
from mbu_ros.node.model_change import ModelChange
from mbu_ros.node.parameters import Live, Settings
from mbu_ros.node.scheduler import Scheduler
from mbu_ros.node.statistics import FrameStatistics
from mbu_ros.node.worker import EngineThread


class Pipeline:
    """Cameras, engine and what passes frames from the ones to the other. For the executor's thread.

    Args:
        node: where topics are made, and whose log is written to.
        settings: parameters as they are to hold.
        live: parameters that may change meanwhile.
        wake: called from another thread when `follow` has something to do.

    Attributes:
        file: the model that runs.
        cameras: in the order of the parameter.
        complaint: why the model that was asked for last does not run; '' where it does. While
            there is one, only `offer` leads to another attempt.

    Raises:
        InputError: there is no such model, or its file cannot be used.
        EngineUnavailable: this machine cannot run the engine.
        EngineError: the engine failed at its first frame.
    """

    def __init__(
        self, node: Node, settings: Settings, live: Live, wake: Callable[[], None]
    ) -> None:
        self._log = node.get_logger()
        self._settings = settings
        self._live = live
        self.complaint = ''
        self.file = self._offered = read_model(settings.model, settings.model_sha256)
        self._worker: EngineThread | None = None
        self._worker = self._make(self.file)
        self._measuring: Future[None] | None = None
        self._change = ModelChange(self._make, wake)
        self._scheduler = Scheduler()
        self.cameras: list[Camera] = []
        try:
            for camera in settings.cameras:
                self.cameras.append(
                    Camera(
                        node,
                        camera,
                        live,
                        self._scheduler,
                        FrameStatistics(),
                        self.file.model.classes,
                        confidence_encoding=settings.confidence_encoding,
                    )
                )
        except BaseException:
            self.close()
            raise

    @property
    def engine(self) -> EngineState:
        """What segments frames now."""
        return self._worker.engine.state

    @property
    def coming(self) -> str:
        """Name of the model that is being made ready; '' where none is."""
        target = self._change.target
        return target.name if target else ''

    def start(self) -> None:
        """Let frames in."""
        self._attach(self._worker)
        for camera in self.cameras:
            camera.open()

    def stop(self) -> None:
        """Let no more frames in, and let those being segmented finish."""
        for camera in self.cameras:
            camera.close()
        self._worker.drain()

    def measure(self) -> None:
        """Have `engine` tell what memory it takes, as soon as it has the time."""
        # An engine that hangs must not find one of these for each second when it comes back.
        if self._measuring is None or self._measuring.done():
            self._measuring = self._worker.submit(self._worker.engine.measure)

    def offer(self, file: ModelFile) -> None:
        """Have at hand a model that is about to be asked for."""
        self._offered = file
        self.complaint = ''

    def follow(self, model: str) -> bool:
        """Go on towards a model of this name; whether another runs than before.

        An engine that is ready takes over between two frames. One for a model that is no longer
        asked for is freed.
        """
        swapped = False
        if self._change.target is not None:
            if not self._change.finished:
                return False
            swapped = self._finish(model)
        if not self.complaint and not is_unchanged(self.file, model):
            self._begin(model)
        return swapped

    def close(self) -> None:
        """Free everything. What is being segmented or made is waited for."""
        for camera in self.cameras:
            camera.close()
        try:
            self._worker.close()  # in the engine's own thread
        finally:
            self._change.close()
            for camera in self.cameras:
                camera.destroy()

    def _begin(self, model: str) -> None:
        try:
            # Reading it again would cost the executor's time, in which no frames are received.
            offered = self._offered
            if is_unchanged(offered, model):
                target = offered
            else:
                target = read_model(model, self._live.model_sha256)
        except Exception as error:
            self._complain(model, describe_failure(error))
            return
        self._log.info(f'Model {model}: being made ready; {self.file.name} goes on meanwhile')
        self._change.begin(target)

    def _finish(self, model: str) -> bool:
        target = self._change.target
        try:
            worker = self._change.take()
        except Exception as error:
            if is_unchanged(target, model):
                self._complain(target.name, describe_failure(error))
            return False
        now, then = self.engine, worker.engine.state
        if not is_unchanged(target, model):
            self._change.retire(worker)
            return False
        if then.name == 'reference' != now.name and not now.failure:
            # The choice of 'auto', likely for want of memory beside the engine that runs.
            self._change.retire(worker)
            self._complain(target.name, f'on {now.device}: {then.reason}')
            return False
        old, self._worker, self.file = self._worker, worker, target
        self._attach(worker)
        old.drain()  # its last frames are published with its own classes
        for camera in self.cameras:
            camera.set_classes(target.model.classes)
        self._change.retire(old)
        return True

    def _complain(self, model: str, reason: str) -> None:
        self.complaint = f'model {model} cannot run: {reason}'
        self._log.error(f'{self.complaint}; {self.file.name} goes on')

    def _make(self, file: ModelFile) -> EngineThread:
        settings, log = self._settings, self._log
        cameras = len(settings.cameras)
        if self._worker is None:
            return make_worker(settings.engine, file.model, log, cameras)
        old = self._worker.engine
        return make_worker(
            settings.engine, file.model, log, cameras, old.formats.list(), old.kind
        )

    def _attach(self, worker: EngineThread) -> None:
        self._scheduler.attach(lambda job: worker.submit(job, worker.engine))
