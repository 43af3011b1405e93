# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node: from its messages to frames for the engine, and to its results."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node

from mbu_ros.data.sample import IGNORE, ClassMap
from mbu_ros.engine.base import Frame as EngineFrame
from mbu_ros.engine.base import RawFrame, Segmentation, check_frame
from mbu_ros.errors import InputError
from mbu_ros.imaging.compressed import compressed_size, decode_bgr
from mbu_ros.imaging.messages import check_image
from mbu_ros.imaging.resize import resize_frame, resize_mask
from mbu_ros.model.deployed import Model
from mbu_ros.node.lasting import LastingEngine
from mbu_ros.node.newest import Frame, Newest, NewestThread
from mbu_ros.node.outputs import OF_THE_ENGINE, Outputs, Result
from mbu_ros.node.parameters import CameraSettings, Live
from mbu_ros.node.pictures import rgb_of
from mbu_ros.node.rate import RateLimit
from mbu_ros.node.scheduler import Scheduler
from mbu_ros.node.statistics import FrameStatistics
from mbu_ros.node.subscription import ImageSubscription
from mbu_ros.node.timing import age_milliseconds

LOG_PERIOD_SECONDS = 5.0
"""Frames that are dropped are logged no more often than this."""


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

    def take(self, engine: LastingEngine) -> _Task | None:
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

    def _prepare(self, frame: Frame, model: Model) -> _Task | None:
        wanted = self._outputs.wanted()
        if not wanted & OF_THE_ENGINE or self._decoder is not None and frame.pixels is None:
            if 'camera_info' in wanted:
                image = _size(frame)
                self._outputs.publish_calibration(frame, image, self._result_size(image, model))
            self.statistics.count_dropped('unwatched')
            return None
        raw = _raw(frame)
        check_frame(raw)
        check_image(raw)
        image = (raw.height, raw.width)
        result = self._result_size(image, model)
        ready: EngineFrame = raw
        resizing = 0.0
        # An engine gives masks of the size of its frames. Of smaller ones, they would have less
        # detail than the network's own.
        if result[0] > image[0] or result[1] > image[1]:
            begin = time.perf_counter()
            ready = resize_frame(rgb_of(frame), *result)
            resizing = time.perf_counter() - begin
        threshold = self._live.confidence_threshold
        return _Task(
            self,
            frame,
            ready,
            confidence=threshold > 0 or 'confidence' in wanted,
            image=image,
            size=result,
            classes=model.classes,
            threshold=threshold,
            resizing=resizing,
        )

    def _result_size(self, image: tuple[int, int], model: Model) -> tuple[int, int]:
        return model.input_size if self._settings.mask_size == 'network' else image

    def _finish(
        self, task: _Task, result: Segmentation, batch: int, begin: float, end: float
    ) -> None:
        frame, wanted = task.source, self._outputs.wanted()
        found = task.result(result)
        self._outputs.publish_mask(frame, found, wanted)
        published = time.perf_counter()
        times = {
            **result.milliseconds,
            'wait': (begin - frame.received - frame.decoding - task.resizing) * 1e3,
            'publish': (published - end) * 1e3,
            'total': (published - frame.received) * 1e3,
        }
        times['resize'] = times.get('resize', 0.0) + task.resizing * 1e3
        if frame.pixels is not None:
            times['decode'] = frame.decoding * 1e3
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
        self._log.warning(
            f'Dropped a frame of {self.topic}: {text}', throttle_duration_sec=LOG_PERIOD_SECONDS
        )


@dataclass(frozen=True)
class _Task:
    """A frame on its way through the engine; see `scheduler.Task`.

    Attributes:
        camera: whose it is.
        source: as it was received.
        image: (height, width) of what was received.
        size: (height, width) of the results.
        classes: of the model.
        threshold: confidence below which pixels become unlabelled.
        resizing: how long the frame's own resize took, in seconds.
    """

    camera: Camera
    source: Frame
    frame: EngineFrame
    confidence: bool
    image: tuple[int, int]
    size: tuple[int, int]
    classes: ClassMap
    threshold: float
    resizing: float

    def finish(self, result: Segmentation, batch: int, begin: float, end: float) -> None:
        """Publish what was found."""
        try:
            self.camera._finish(self, result, batch, begin, end)
        except Exception as error:
            self.drop(error)

    def drop(self, error: Exception) -> None:
        """Count the frame as dropped, and log why."""
        self.camera._drop('bad' if isinstance(error, InputError) else 'engine', error)

    def result(self, found: Segmentation) -> Result:
        """What to publish of what the engine found."""
        labels, scores = resize_mask(found.labels, *self.size), found.confidence
        if scores is not None:
            scores = resize_mask(scores, *self.size)
        if self.threshold > 0:
            labels = np.where(scores < self.threshold, np.uint8(IGNORE), labels)
        return Result(labels, scores, self.image, self.classes, self.threshold)


def _raw(frame: Frame) -> RawFrame:
    """The image as an engine takes it; one on a GPU converts it there."""
    message, pixels = frame.message, frame.pixels
    if pixels is not None:
        height, width = pixels.shape[:2]
        return RawFrame(pixels.reshape(-1), height, width, 3 * width, 'bgr8')
    return RawFrame(
        message.data,
        message.height,
        message.width,
        message.step,
        message.encoding,
        message.is_bigendian,
    )


def _size(frame: Frame) -> tuple[int, int]:
    """Height and width, of a compressed image from its header."""
    message = frame.message
    if hasattr(message, 'format'):
        return compressed_size(message)
    return message.height, message.width
