# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera that measures how long its images take to become masks in another process."""

from __future__ import annotations

import array
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import Image

from mbu_ros.node.memory import keep_freed_memory

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
SETTLE_SECONDS = 0.5
"""Between seeing all endpoints and the first frame: DDS shows one to us a moment before it has
connected it to its other partners."""
PAUSE_SECONDS = 0.005
"""From a mask to the next frame, so that what comes after a mask is not in the way."""
PATIENCE_SECONDS = 2.0
"""After so long without a mask, those that are missing will not come."""


@dataclass
class Exchange:
    """What became of some frames.

    Attributes:
        sent: stamps of the frames in nanoseconds, with time.perf_counter() just before.
        seconds: from the first frame sent to the last.
        masks: time.perf_counter() at which masks came, by stamp.
        times: milliseconds that the other node told, by stamp and key.
    """

    sent: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    masks: dict[int, float] = field(default_factory=dict)
    times: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Frames without a mask."""
        return len(self.sent.keys() - self.masks.keys())

    @property
    def latencies(self) -> dict[int, float]:
        """Milliseconds from before a frame is published until its mask is there, by stamp."""
        return {
            stamp: (self.masks[stamp] - begin) * 1e3
            for stamp, begin in self.sent.items()
            if stamp in self.masks
        }


class BenchCamera:
    """Publishes `image` and receives `segmentation/mask` and `segmentation/timing`.

    Args:
        namespace: of it all.
    """

    def __init__(self, namespace: str) -> None:
        keep_freed_memory()
        self._context = Context()
        self._context.init()
        self._node = Node('camera', namespace=namespace, context=self._context)
        self._publisher = self._node.create_publisher(Image, 'image', RELIABLE)
        self._node.create_subscription(Image, 'segmentation/mask', self._take_mask, RELIABLE)
        self._timing = None
        self._message = Image(encoding='rgb8')
        self._exchange = Exchange()
        self._came = threading.Condition()
        self._stop = Future()
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(self._node)
        self._thread = threading.Thread(
            target=executor.spin_until_future_complete, args=(self._stop,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End it all."""
        self._stop.set_result(None)
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()

    def wait_for_partner(self, timeout: float, check: Callable[[], None]) -> bool:
        """Wait until another node subscribes and publishes; whether it does.

        Args:
            check: called again and again; what it raises ends the waiting.
        """
        deadline = time.monotonic() + timeout
        mask = self._node.resolve_topic_name('segmentation/mask')
        while not (self._publisher.get_subscription_count() and self._node.count_publishers(mask)):
            check()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        time.sleep(SETTLE_SECONDS)
        return True

    def wait_for_no_partner(self) -> None:
        """Wait until nobody subscribes any more, so that the next one starts alone."""
        deadline = time.monotonic() + 10
        while self._publisher.get_subscription_count() and time.monotonic() < deadline:
            time.sleep(0.05)

    def set_size(self, height: int, width: int) -> None:
        """Send images of this size, of random pixels."""
        pixels = np.random.default_rng(0).integers(0, 256, height * width * 3, np.uint8)
        message = self._message
        message.height, message.width, message.step = height, width, 3 * width
        message.data = array.array('B', pixels.tobytes())

    def one_by_one(self, frames: int, *, timing: bool) -> Exchange:
        """Send each frame when the mask of the one before has come.

        Args:
            timing: ask the other node for its times too.
        """
        self._subscribe_to_timing(timing)
        exchange = self._begin()
        for _ in range(frames):
            stamp = self._send(exchange)
            self._wait(lambda stamp=stamp: stamp in exchange.masks)
            time.sleep(PAUSE_SECONDS)
        if timing:
            self._wait(lambda: exchange.masks.keys() <= exchange.times.keys())
        self._subscribe_to_timing(False)
        return self._end(exchange)

    def at_rate(self, rate: float, seconds: float) -> Exchange:
        """Send frames at a rate, in Hz, whatever comes back."""
        exchange = self._begin()
        begin = time.perf_counter()
        for index in range(max(2, round(rate * seconds))):
            time.sleep(max(0.0, begin + index / rate - time.perf_counter()))
            self._send(exchange)
        return self._end(exchange)

    def _begin(self) -> Exchange:
        self._exchange = Exchange()
        return self._exchange

    def _end(self, exchange: Exchange) -> Exchange:
        begins = list(exchange.sent.values())
        exchange.seconds = begins[-1] - begins[0]
        count = -1
        while exchange.lost and count < len(exchange.masks):
            count = len(exchange.masks)
            self._wait(lambda count=count: len(exchange.masks) > count)
        return exchange

    def _send(self, exchange: Exchange) -> int:
        stamp = time.time_ns()
        self._message.header.stamp.sec, self._message.header.stamp.nanosec = divmod(
            stamp, 1_000_000_000
        )
        exchange.sent[stamp] = time.perf_counter()
        self._publisher.publish(self._message)
        return stamp

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._came:
            self._came.wait_for(condition, PATIENCE_SECONDS)

    def _subscribe_to_timing(self, wanted: bool) -> None:
        if wanted and self._timing is None:
            self._timing = self._node.create_subscription(
                DiagnosticArray, 'segmentation/timing', self._take_times, RELIABLE
            )
            time.sleep(SETTLE_SECONDS)
        elif not wanted and self._timing is not None:
            self._node.destroy_subscription(self._timing)
            self._timing = None

    def _take_mask(self, message: Image) -> None:
        now = time.perf_counter()
        with self._came:
            self._exchange.masks[_nanoseconds(message.header.stamp)] = now
            self._came.notify_all()

    def _take_times(self, message: DiagnosticArray) -> None:
        times = {}
        for item in message.status[0].values:
            name, _, unit = item.key.partition(' (')
            if unit == 'ms)' and item.value:
                times[name] = float(item.value)
        with self._came:
            self._exchange.times[_nanoseconds(message.header.stamp)] = times
            self._came.notify_all()


def _nanoseconds(stamp: object) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec
