# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera that plays frames in a loop and keeps account of the masks, as a process of its own.

It says on its standard output, one JSON object a line, when the other node is there. It sends from
the line `go` on its standard input on, tells at each line `tell` what happened since the last one,
and at the end of that input what happened after it; see `stream.StreamProcess`.
"""

from __future__ import annotations

import array
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from mbu_ros.bench.account import Account
from mbu_ros.node.memory import keep_freed_memory

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
SETTLE_SECONDS = 0.5
"""Between seeing the other node's endpoints and the first frame, for DDS to connect them."""
LAST_WORD_SECONDS = 3.0
"""How long to wait in the end for what the node says of itself once a second."""
LATE_NANOSECONDS = 100_000_000
"""What the node says so soon after a frame or a mask may not know of it yet."""
NOTHING_LEVELS = {2: 'ERROR', 3: 'STALE'}
"""Levels of the diagnostics by which a stream does not do what it should."""


class StreamCamera(Node):
    """Publishes `image`, receives `segmentation/mask`, reads /diagnostics.

    Parameters: `frames`, a .npy file of uint8 [N, H, W, 3], RGB; `rate` in Hz, or 0: each frame
    when the mask of the one before is there; `node` and `camera`, whose diagnostics to read.

    Args:
        options: for rclpy's Node.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('stream', **options)

        def parameter(name: str, default: object) -> object:
            return self.declare_parameter(name, default).value

        frames = np.load(parameter('frames', ''), mmap_mode='r')
        self._rate = parameter('rate', 0.0)
        node, camera = parameter('node', ''), parameter('camera', '')
        self._names = {
            'frames': f'{node}: {camera} frames' if camera else f'{node}: frames',
            'engine': f'{node}: engine',
        }
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._complaints: dict[str, str] = {}
        self._heard = threading.Event()
        self._since = 0
        self._account = Account()
        self._end = threading.Event()
        self._images = [array.array('B', frame.tobytes()) for frame in frames]
        height, width = frames.shape[1:3]
        self._message = Image(height=height, width=width, step=3 * width, encoding='rgb8')
        self._publisher = self.create_publisher(Image, 'image', RELIABLE)
        self.create_subscription(Image, 'segmentation/mask', self._take_mask, RELIABLE)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._take_diagnostics, 10)
        self._sender = threading.Thread(target=self._send_all, daemon=True)

    def wait_for_partner(self) -> None:
        """Wait until a node subscribes to the images and publishes masks."""
        mask = self.resolve_topic_name('segmentation/mask')
        while not (self._publisher.get_subscription_count() and self.count_publishers(mask)):
            time.sleep(0.05)
        time.sleep(SETTLE_SECONDS)

    def go(self) -> None:
        """Begin to send; what was told so far is forgotten."""
        self._account.tell()
        self._complaints = {}
        self._since = time.time_ns() + LATE_NANOSECONDS
        self._sender.start()

    def tell(self) -> dict:
        """What happened since the last call.

        Returns:
            As `Account.tell`; under 'node' what the node said of itself last, and under
            'complaints' whether it said ERROR or STALE since, however shortly: the first message
            of each, by 'ERROR (frames)' and the like.
        """
        complaints, self._complaints = self._complaints, {}
        return {**self._account.tell(), 'node': self._node_state(), 'complaints': dict(complaints)}

    def finish(self) -> dict:
        """Send no more, wait for the masks that are to come, and tell."""
        self._end.set()
        if self._sender.is_alive():
            self._sender.join()
        self._account.wait()
        # What was said before knows nothing of the last frames, even if it is heard only now.
        self._since = time.time_ns() + LATE_NANOSECONDS
        self._heard.clear()
        self._heard.wait(LAST_WORD_SECONDS)
        return self.tell()

    def _send_all(self) -> None:
        due = time.perf_counter()
        for data in itertools.cycle(self._images):
            if self._rate:
                due += 1 / self._rate
                delay = due - time.perf_counter()
                if delay < 0:  # a camera that is late does not make up for it
                    due -= delay
            else:
                self._account.wait()
                delay = 0.0
            if self._end.wait(max(0.0, delay)):
                return
            stamp = time.time_ns()
            self._message.header.stamp.sec, self._message.header.stamp.nanosec = divmod(
                stamp, 1_000_000_000
            )
            self._message.data = data
            self._account.send(stamp)
            self._publisher.publish(self._message)

    def _take_mask(self, message: Image) -> None:
        stamp = message.header.stamp
        self._account.answer(stamp.sec * 1_000_000_000 + stamp.nanosec)

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        found = {status.name: status for status in message.status}
        stamp = message.header.stamp
        is_new = stamp.sec * 1_000_000_000 + stamp.nanosec >= self._since
        for kind, name in self._names.items():
            if name in found:
                status = self._statuses[kind] = found[name]
                if is_new and status.level[0] in NOTHING_LEVELS:
                    what = f'{NOTHING_LEVELS[status.level[0]]} ({kind})'
                    self._complaints.setdefault(what, status.message)
        if is_new and self._names['frames'] in found:
            self._heard.set()

    def _node_state(self) -> dict:
        return {
            kind: {
                'level': status.level[0],
                'message': status.message,
                'values': {item.key: item.value for item in status.values},
            }
            for kind, status in self._statuses.items()
        }


def _say(what: dict) -> None:
    print(json.dumps(what), flush=True)


def _talk(camera: StreamCamera, lines: Callable[[], str]) -> None:
    camera.wait_for_partner()
    _say({'ready': True})
    while line := lines():
        if line.strip() == 'go':
            camera.go()
        else:
            _say(camera.tell())
    _say(camera.finish())


def main(args: list[str] | None = None) -> int:
    """Run the camera until its standard input ends; returns the process's exit code."""
    keep_freed_memory()
    # Ended by signals at once: there is nothing to be tidied up.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    camera = StreamCamera()
    executor = SingleThreadedExecutor()
    executor.add_node(camera)

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        _talk(camera, sys.stdin.readline)
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.shutdown()
        thread.join()
        camera.destroy_node()
    return 0


if __name__ == '__main__':
    sys.exit(main())
