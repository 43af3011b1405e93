# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frame on its way through the engine: what goes in, and what is made of what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mbu_ros.data.sample import IGNORE, ClassMap
from mbu_ros.engine.base import Frame as EngineFrame
from mbu_ros.engine.base import RawFrame, Segmentation, check_frame
from mbu_ros.errors import InputError
from mbu_ros.imaging.compressed import compressed_size
from mbu_ros.imaging.messages import check_image
from mbu_ros.imaging.resize import resize_frame, resize_mask
from mbu_ros.node.newest import Frame
from mbu_ros.node.outputs import Result
from mbu_ros.node.pictures import rgb_of


@dataclass(frozen=True)
class FrameTask:
    """A frame that is ready for the engine; see `scheduler.Task`.

    Attributes:
        source: as it was received.
        frame: as the engine takes it.
        confidence: whether scores are wanted.
        image: (height, width) of what was received.
        size: (height, width) of the results.
        classes: of the model.
        threshold: confidence below which pixels become unlabelled.
        resizing: how long the frame's own resize took, in seconds.
        publish: called with this, what was found, the frames of the batch, and when the engine
            began and was done.
        give_up: called with why the frame was dropped, of `statistics.DROP_REASONS`, and the error.
    """

    source: Frame
    frame: EngineFrame
    confidence: bool
    image: tuple[int, int]
    size: tuple[int, int]
    classes: ClassMap
    threshold: float
    resizing: float
    publish: Callable[[FrameTask, Segmentation, int, float, float], None]
    give_up: Callable[[str, Exception], None]

    def finish(self, result: Segmentation, batch: int, begin: float, end: float) -> None:
        """Publish what was found."""
        try:
            self.publish(self, result, batch, begin, end)
        except Exception as error:
            self.drop(error)

    def drop(self, error: Exception) -> None:
        """Count the frame as dropped, and log why."""
        self.give_up('bad' if isinstance(error, InputError) else 'engine', error)

    def result(self, found: Segmentation) -> Result:
        """What to publish of what the engine found."""
        labels, scores = resize_mask(found.labels, *self.size), found.confidence
        if scores is not None:
            scores = resize_mask(scores, *self.size)
        if self.threshold > 0:
            labels = np.where(scores < self.threshold, np.uint8(IGNORE), labels)
        return Result(labels, scores, self.image, self.classes, self.threshold)

    def times(
        self, found: Segmentation, begin: float, end: float, published: float
    ) -> dict[str, float]:
        """Milliseconds by `statistics.STAGES`.

        Args:
            found: by the engine.
            begin, end: when it began and was done, as `source.received` in seconds.
            published: when the mask was.
        """
        source = self.source
        times = {
            **found.milliseconds,
            'wait': (begin - source.received - source.decoding - self.resizing) * 1e3,
            'publish': (published - end) * 1e3,
            'total': (published - source.received) * 1e3,
        }
        times['resize'] = times.get('resize', 0.0) + self.resizing * 1e3
        if source.pixels is not None:
            times['decode'] = source.decoding * 1e3
        return times


def raw_frame(frame: Frame) -> RawFrame:
    """The image as an engine takes it, checked; one on a GPU converts it there.

    Raises:
        InputError: its fields do not fit each other and its data.
    """
    message, pixels = frame.message, frame.pixels
    if pixels is not None:
        height, width = pixels.shape[:2]
        return RawFrame(pixels.reshape(-1), height, width, 3 * width, 'bgr8')
    raw = RawFrame(
        message.data,
        message.height,
        message.width,
        message.step,
        message.encoding,
        message.is_bigendian,
    )
    check_frame(raw)
    check_image(raw)
    return raw


def fit(frame: Frame, raw: RawFrame, size: tuple[int, int]) -> tuple[EngineFrame, float]:
    """The frame, enlarged if results of a size would have less detail than the network's own.

    An engine gives masks of the size of its frames, and a network's mask does not survive being
    made smaller.

    Args:
        frame: as received.
        raw: the same for an engine.
        size: (height, width) of the results that are wanted.

    Returns:
        What to give to the engine, and how long making it took, in seconds.
    """
    if size[0] <= raw.height and size[1] <= raw.width:
        return raw, 0.0
    begin = time.perf_counter()
    return resize_frame(rgb_of(frame), *size), time.perf_counter() - begin


def frame_size(frame: Frame) -> tuple[int, int]:
    """Height and width, of a compressed image from its header.

    Raises:
        InputError: it has no usable header.
    """
    message = frame.message
    if hasattr(message, 'format'):
        return compressed_size(message)
    return message.height, message.width
