# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node: from its messages to frames for the engine, and to its results."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node

from mbu_ros.data.sample import ClassMap
from mbu_ros.engine.base import Segmentation
from mbu_ros.errors import InputError
from mbu_ros.imaging.compressed import decode_bgr
from mbu_ros.model.deployed import Model
from mbu_ros.node.lasting import LastingEngine
from mbu_ros.node.newest import Frame, Newest, NewestThread
from mbu_ros.node.outputs import OF_THE_ENGINE, Outputs
from mbu_ros.node.parameters import CameraSettings, Live
from mbu_ros.node.rate import RateLimit
from mbu_ros.node.ros_logging import SELDOM
from mbu_ros.node.scheduler import Scheduler
from mbu_ros.node.statistics import FrameStatistics
from mbu_ros.node.subscription import ImageSubscription
from mbu_ros.node.tasks import FrameTask, fit, frame_size, raw_frame
from mbu_ros.node.timing import age_milliseconds


class Camera:
    """Receives in the executor's thread, decodes in one of its own, publishes in the engine's.

    Args:
        node: the node; topics are relative to its namespace.
        settings: name, transport, size of masks, QoS.
        live: parameters that may change.
        scheduler: passes its frames to the engine.
        statistics: counts them.
        classes: of the model.
        confidence_encoding: of the image of scores, 'mono8' or '32FC1'.

    Attributes:
        name: '' for a camera without one.
        topic: full name of the topic that it subscribes to.
        statistics: as given.
    """

    def __init__(
        self,
        node: Node,
        settings: CameraSettings,
        live: Live,
        scheduler: Scheduler,
        statistics: FrameStatistics,
        classes: ClassMap,
        *,
        confidence_encoding: str = 'mono8',
    ) -> None:
        self.name = settings.name
        self.statistics = statistics
        self._node = node
        self._settings = settings
        self._live = live
        self._scheduler = scheduler
        self._log = node.get_logger()
        self._newest: Newest[Frame] = Newest()
        self._rate = RateLimit()
        self._is_open = False
        self._subscription: ImageSubscription | None = None
        image = node.resolve_topic_name(f'{self.name}/image' if self.name else 'image')
        self.topic = image
        self._decoder: NewestThread[Frame] | None = None
        if settings.transport == 'compressed':
            # As image_transport names it; this name may be remapped too.
            self.topic = node.resolve_topic_name(f'{image}/compressed')
            self._decoder = NewestThread(f'decode {self.name}', self._decode)
        self._outputs = Outputs(node, self.name, image, live, confidence_encoding)
        self.set_classes(classes)

    @property
    def result_topics(self) -> dict[str, str]:
        """Full names of what it publishes on, by short ones such as 'mask'."""
        return self._outputs.topics

    def set_classes(self, classes: ClassMap) -> None:
        """Say what labels mean from now on. Each mask does so too, before it is published."""
        self._outputs.describe(classes)

    def open(self) -> None:
        """Subscribe."""
        self._is_open = True
        self._scheduler.add(self)
        self._subscription = ImageSubscription(
            self._node, self._settings, self.topic, self._receive, self.statistics.count_lost
        )

    def close(self) -> None:
        """Unsubscribe, and drop the frame that waits. One being segmented is not touched."""
        self._is_open = False
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        self._outputs.watch(frozenset())
        self._scheduler.remove(self)
        if self._decoder is not None:
            if self._decoder.take() is not None:
                self.statistics.count_dropped('stopped')
            self._decoder.drain()
        if self._newest.take() is not None:
            self.statistics.count_dropped('stopped')

    def destroy(self) -> None:
        """Give up the publishers as well. Only when no frame is being segmented any more."""
        self.close()
        if self._decoder is not None:
            self._decoder.close()
        self._outputs.destroy()

    def take(self, engine: LastingEngine) -> FrameTask | None:
        """The frame that waits, checked and ready for the engine; for the engine's thread.

        None where there is none, or where it need not or cannot be segmented, which is counted.
        """
        frame = self._newest.take()
        if frame is None:
            return None
        try:
            return self._prepare(frame, engine.model)
        except Exception as error:
            self._drop('bad', error)
            return None

    def _receive(self, message: Any) -> None:
        now = time.perf_counter()
        self.statistics.count_received()
        wanted = self._outputs.wanted()
        self._outputs.watch(wanted)
        if not wanted:
            self.statistics.count_dropped('unwatched')
        elif not self._rate.admits(now, self._live.max_rate(self.name)):
            self.statistics.count_dropped('rate')
        elif self._decoder is not None and wanted & OF_THE_ENGINE:
            if self._decoder.put(Frame(message, now)) is not None:
                self.statistics.count_dropped('superseded')
        else:
            self._offer(Frame(message, now))

    def _decode(self, frame: Frame) -> None:
        begin = time.perf_counter()
        try:
            pixels = decode_bgr(frame.message)
        except Exception as error:
            self._drop('bad', error)
            return
        if self._is_open:
            self._offer(
                Frame(frame.message, frame.received, pixels, time.perf_counter() - begin)
            )
        else:
            self.statistics.count_dropped('stopped')

    def _offer(self, frame: Frame) -> None:
        if self._newest.put(frame) is not None:
            self.statistics.count_dropped('superseded')
        self._scheduler.notify(self)
        # The engine's thread was woken. Without this it would have to wait for the interpreter
        # until this thread has nothing more to do, for the better part of a millisecond.
        time.sleep(0)

    def _prepare(self, frame: Frame, model: Model) -> FrameTask | None:
        wanted = self._outputs.wanted()
        if not wanted & OF_THE_ENGINE or self._decoder is not None and frame.pixels is None:
            if 'camera_info' in wanted:
                image = frame_size(frame)
                self._outputs.publish_calibration(frame, image, self._result_size(image, model))
            self.statistics.count_dropped('unwatched')
            return None
        raw = raw_frame(frame)
        image = raw.height, raw.width
        size = self._result_size(image, model)
        ready, resizing = fit(frame, raw, size)
        threshold = self._live.confidence_threshold
        return FrameTask(
            frame,
            ready,
            threshold > 0 or 'confidence' in wanted,
            image,
            size,
            model.classes,
            threshold,
            resizing,
            self._publish,
            self._drop,
        )

    def _result_size(self, image: tuple[int, int], model: Model) -> tuple[int, int]:
        return model.input_size if self._settings.mask_size == 'network' else image

    def _publish(
        self, task: FrameTask, result: Segmentation, batch: int, begin: float, end: float
    ) -> None:
        frame, wanted = task.source, self._outputs.wanted()
        found = task.result(result)
        self._outputs.publish_mask(frame, found, wanted)
        times = task.times(result, begin, end, time.perf_counter())
        self._outputs.publish_others(frame, found, wanted)
        if 'timing' in wanted:
            now = self._node.get_clock().now()
            age = age_milliseconds(frame.message.header.stamp, now)
            since = (time.perf_counter() - frame.received) * 1e3
            more = {'engine': (end - begin) * 1e3, 'received': age and age - since}
            self._outputs.publish_timing(frame, {'decode': 0.0, **times, **more}, batch)
        # Last, so that a frame is counted once, whatever goes wrong.
        self.statistics.count_segmented(times)

    def _drop(self, reason: str, error: Exception) -> None:
        self.statistics.count_dropped(reason)
        text = str(error) if isinstance(error, InputError) else f'{type(error).__name__}: {error}'
        self._log.warning(f'Dropped a frame of {self.topic}: {text}', **SELDOM)
