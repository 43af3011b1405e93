# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras that measure how long their images take to become masks in another process."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from mbu_ros.bench.ros_exchange import Exchange
from mbu_ros.bench.ros_sending_camera_node import SendingCamera
from mbu_ros.node.memory import keep_freed_memory

SETTLE_SECONDS = 0.5
"""Between seeing all endpoints and the first frame: DDS shows one to us a moment before it has
connected it to its other partners."""
PAUSE_SECONDS = 0.005
"""From a mask to the next frame, so that what comes after a mask is not in the way."""
FIRST_PATIENCE_SECONDS = 60.0
"""How long the first mask may take: large networks are slow without a GPU."""
PATIENCE_SECONDS, PATIENCE_LATENCIES = 2.0, 5.0
"""After so long, and so many times the longest latency yet, without a mask, none will come."""
CHECK_SECONDS = 0.1
"""How often to look whether the partner is still alive."""


class CameraSender:
    """Publishes images of one or several cameras, prepared beforehand, and receives their masks.

    Its topics are those of a segment_node in the same namespace: `image` (or `image/compressed`),
    `segmentation/mask` and `segmentation/timing`, behind the name of their camera where it has one.
    One thread receives; the caller's sends. Call `load`, then `wait_for_partner`, then `one_by_one`
    and `at_rate` as often as wanted, then `wait_for_no_partner` before the next node, and `close`.

    Args:
        namespace: of it all.
        cameras: names of the cameras, as in the node's parameter `cameras`; '' for the one without.
        compressed: names of those that send CompressedImage.
    """

    def __init__(
        self, namespace: str, cameras: Sequence[str] = ('',), *, compressed: Collection[str] = ()
    ) -> None:
        keep_freed_memory()
        self._context = Context()
        self._context.init()
        self._node = Node('camera', namespace=namespace, context=self._context)
        self._came = threading.Condition()
        self._cameras = {
            name: SendingCamera(self._node, name, name in compressed, self._came)
            for name in cameras
        }
        self._check: Callable[[], None] = lambda: None
        self._slowest: float | None = None
        self._stop = Future()
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(self._node)
        self._thread = threading.Thread(
            target=executor.spin_until_future_complete, args=(self._stop,), daemon=True
        )
        self._thread.start()

    def load(self, frames: Mapping[str, Sequence[bytes]]) -> None:
        """Send these from now on: by camera, messages serialized as CDR, over and over in turn."""
        for name, camera in self._cameras.items():
            camera.frames = itertools.cycle(frames[name])

    def wait_for_partner(self, timeout: float, check: Callable[[], None]) -> bool:
        """Wait until a node subscribes to all images and publishes all masks; whether it does.

        Args:
            timeout: seconds.
            check: called again and again, now and until `wait_for_no_partner`; what it raises ends
                the waiting or the exchange, such as a process that is no more.
        """
        self._check, self._slowest = check, None
        deadline = time.monotonic() + timeout
        while not all(camera.has_partner for camera in self._cameras.values()):
            check()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        time.sleep(SETTLE_SECONDS)
        return True

    def wait_for_no_partner(self) -> None:
        """Wait until nobody subscribes any more, so that the next one starts alone."""
        self._check = lambda: None
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(
            camera.publisher.get_subscription_count() for camera in self._cameras.values()
        ):
            time.sleep(0.05)

    def one_by_one(
        self, frames: int, *, timing: bool, seconds: float = float('inf')
    ) -> dict[str, Exchange]:
        """Send a frame of each camera when the masks of the ones before have come.

        Args:
            frames: of each camera, at most.
            timing: ask the other node for its times too.
            seconds: after which no further frame is begun; the first is sent in any case.

        Returns:
            The exchange of each camera, by name.
        """
        self._subscribe_to_timing(timing)
        exchanges = self._begin()
        deadline = time.monotonic() + seconds
        for index in range(frames):
            if index and time.monotonic() > deadline:
                break
            for camera in self._cameras.values():
                camera.send()
            self._await_last(exchanges)
            time.sleep(PAUSE_SECONDS)
        if timing:
            self._wait(lambda: all(one.masks.keys() <= one.times.keys() for one in exchanges))
        self._subscribe_to_timing(False)
        return dict(zip(self._cameras, exchanges))

    def at_rate(self, rate: float, seconds: float) -> dict[str, Exchange]:
        """Send frames of every camera at a rate, in Hz, whatever comes back, and await the rest.

        Cameras send in turn, evenly spread over a period. A frame that is late by more than half a
        period moves all that follow, so that a sender that cannot keep up, or was held up for a
        moment, sends slower (see `Exchange.rate`), but never in bursts that no camera would make.

        Args:
            rate: of each camera.
            seconds: for which to send; two frames of each camera are sent in any case.

        Returns:
            The exchange of each camera, by name.
        """
        exchanges = self._begin()
        period = 1 / rate
        cameras = list(self._cameras.values())
        due = time.perf_counter()
        for _ in range(max(2, round(rate * seconds))):
            for camera in cameras:
                self._sleep_until(due)
                due = max(due, time.perf_counter() - period / 2)
                camera.send()
                due += period / len(cameras)
        self._await_last(exchanges)
        return dict(zip(self._cameras, exchanges))

    def close(self) -> None:
        """End it all."""
        self._stop.set_result(None)
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()

    def _begin(self) -> list[Exchange]:
        with self._came:
            for camera in self._cameras.values():
                camera.exchange = Exchange()
            return [camera.exchange for camera in self._cameras.values()]

    def _await_last(self, exchanges: Sequence[Exchange]) -> None:
        """Wait until the mask of the last frame of each camera has come, or will not come.

        A node answers in order and never drops the last one for a newer one: what has not come by
        then was dropped.
        """
        last = [next(reversed(exchange.sent)) for exchange in exchanges]

        def is_done() -> bool:
            return all(stamp in one.masks for stamp, one in zip(last, exchanges))

        while not is_done():
            before = _received(exchanges)
            self._wait(lambda before=before: is_done() or before < _received(exchanges))
            if before == _received(exchanges):
                break
        for exchange in exchanges:
            slowest = max(exchange.latencies.values(), default=0.0) / 1e3
            if slowest > (self._slowest or 0.0):
                self._slowest = slowest

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Wait for the condition as long as the partner can be expected to take for a frame."""
        patience = FIRST_PATIENCE_SECONDS
        if self._slowest is not None:
            patience = max(PATIENCE_SECONDS, PATIENCE_LATENCIES * self._slowest)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with self._came:
                if self._came.wait_for(condition, CHECK_SECONDS):
                    return
            self._check()

    def _sleep_until(self, moment: float) -> None:
        while (left := moment - time.perf_counter()) > CHECK_SECONDS:
            time.sleep(CHECK_SECONDS)
            self._check()
        if left > 0:
            time.sleep(left)

    def _subscribe_to_timing(self, wanted: bool) -> None:
        changed = [camera.subscribe_to_timing(wanted) for camera in self._cameras.values()]
        if wanted and any(changed):
            time.sleep(SETTLE_SECONDS)


def _received(exchanges: Iterable[Exchange]) -> int:
    return sum(exchange.received for exchange in exchanges)
