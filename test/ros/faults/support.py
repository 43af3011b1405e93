# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stream of frames to a node, and what comes back: masks by stamp, and its diagnostics."""

import contextlib
import threading
import time

import numpy as np

PERIOD_SECONDS = 0.05


class Stream:
    """Sends a frame every so often, whatever comes back, and listens.

    Args:
        peer: of the fixture.
        node: name of the node, with its namespace.
        height, width: of the frames.
        period: from one frame to the next, in seconds; None to send none.

    Attributes:
        sent: number of the last frame, which is its stamp in seconds.
        masks: numbers of the frames whose masks came, in order.
    """

    def __init__(self, peer, node='segment', height=48, width=64, period=PERIOD_SECONDS):
        from diagnostic_msgs.msg import DiagnosticArray
        from sensor_msgs.msg import Image

        from mbu_ros.imaging.messages import fill_image

        self.sent, self.masks = 0, []
        self._node, self._levels = node, {}
        self._message = Image()
        fill_image(self._message, np.full((height, width, 3), 90, np.uint8), 'rgb8')
        self._publisher = peer.node.create_publisher(Image, '/image', 5)
        self._subscriptions = [
            peer.node.create_subscription(Image, '/segmentation/mask', self._take, 10),
            peer.node.create_subscription(DiagnosticArray, '/diagnostics', self._hear, 10),
        ]
        self._peer, self._period, self._end = peer, period, threading.Event()
        self._thread = threading.Thread(target=self._run)
        if period is not None:
            self._thread.start()

    def status(self, subtask='engine'):
        """Level (0 to 3) and message that the node said last; None if it said nothing."""
        return self._levels.get(f'{self._node}: {subtask}')

    def says(self, level, words='', subtask='engine'):
        """Whether it said so last."""
        status = self.status(subtask)
        return status is not None and status[0] == level and words in status[1]

    def newer(self, wait_until, what='masks of newer frames'):
        """Wait for masks of frames that were sent from now on; the seconds until the first."""
        number, begin = self.sent, time.monotonic()
        wait_until(lambda: self.masks and self.masks[-1] > number + 1, what)
        return time.monotonic() - begin

    def close(self):
        self._end.set()
        if self._period is not None:
            self._thread.join()
        for subscription in self._subscriptions:
            self._peer.node.destroy_subscription(subscription)
        self._peer.node.destroy_publisher(self._publisher)

    def _run(self):
        while not self._end.wait(self._period):
            self.sent += 1
            self._message.header.stamp.sec = self.sent
            self._publisher.publish(self._message)

    def _take(self, message):
        self.masks.append(message.header.stamp.sec)

    def _hear(self, message):
        for status in message.status:
            self._levels[status.name] = status.level[0], status.message


@contextlib.contextmanager
def streaming(peer, **options):
    """A `Stream` that is closed in the end."""
    stream = Stream(peer, **options)
    try:
        yield stream
    finally:
        stream.close()
