# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a bag's topics over DDS, and says when it is done.

It starts when somebody listens, so that no frame is lost at the start, and ends by publishing the
number of images sent on `player/finished` (std_msgs/UInt32, latched). Exit code 0 when the whole
bag was played.
"""

from __future__ import annotations

import importlib
import signal
import sys
import time
from collections.abc import Callable

import rclpy
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import UInt32

from mbu_ros.bags.format import COMPRESSED_IMAGE, SECOND, raw_topic, stamp_nanoseconds
from mbu_ros.bags.playback import MODES
from mbu_ros.bags.reader import BagMessage, BagReader, decode, group_by_image
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.parameters import declare
from mbu_ros.imaging.messages import fill_image, to_rgb

SETTLE = 0.3
"""Seconds between seeing all endpoints and the first frame: DDS shows an endpoint to us a moment
before it has connected it to its other partners."""

LINGER = 4.0
"""Most seconds to stay after the end, so that what got lost on the way can be sent again. Fast DDS
asks its readers every 3 seconds what they miss."""
SLICE = Duration(nanoseconds=50_000_000)

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
FINISHED_TOPIC = 'player/finished'
FINISHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

PARAMETERS = {
    'bag': ('', 'Folder or file of the rosbag2 to play.'),
    'mode': (
        'recorded',
        'recorded: as logged. fixed: rate_hz images a second. acknowledged: each image when the '
        'mask of the one before has come.',
    ),
    'rate_hz': (10.0, 'Images per second in mode fixed; one such period lies between two loops.'),
    'ack_timeout': (10.0, 'Seconds after which a mask is given up in mode acknowledged.'),
    'topics': ('', 'What to play, separated by commas; empty: all of the bag.'),
    'image_topic': ('', 'The camera; empty: the only image topic of the bag.'),
    'mask_topic': ('segmentation/mask', 'Where masks come in mode acknowledged.'),
    'decompress': (False, 'Send a compressed camera as Image, without /compressed in its topic.'),
    'loop': (False, 'Start again at the end, with the same stamps; it has no end.'),
    'wait_subscribers': (1, 'Start when the camera has so many subscribers; 0: at once.'),
    'wait_timeout': (60.0, 'Seconds to wait for subscribers before giving up.'),
}
"""Default and description of each parameter."""


class Player(Node):
    """The node; `play` does everything.

    Attributes:
        sent: images sent so far.
        lost: images whose mask did not come in time (mode acknowledged).

    Raises:
        InputError: the bag or a parameter is unusable.
    """

    def __init__(self) -> None:
        super().__init__('player')
        settings = self._settings = declare(self, PARAMETERS)
        if settings.mode not in MODES:
            raise InputError(f'no mode {settings.mode!r}; choose one of {", ".join(MODES)}')
        if not settings.bag:
            raise InputError('which bag? Set the parameter bag to its path')
        self.sent = 0
        self.lost = 0
        self._reader = BagReader(settings.bag, image_topic=settings.image_topic or None)
        self._camera = self._reader.image_topic
        self._decompress = settings.decompress and self._reader.image_kind == COMPRESSED_IMAGE
        self._publishers_by_topic = self._make_publishers()
        self._finished = self.create_publisher(UInt32, FINISHED_TOPIC, FINISHED_QOS)
        self._acknowledged: int | None = None
        self._masks = None
        if settings.mode == 'acknowledged':
            self._masks = self.create_subscription(
                Image, settings.mask_topic, self._acknowledge, RELIABLE
            )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def play(self) -> None:
        """Wait for subscribers, play, and say that it is done.

        Raises:
            InputError: nobody subscribes, or the bag is damaged; what could be read was played.
        """
        try:
            self._wait_for_subscribers()
            self.get_logger().info(
                f'playing {self._reader.frames} images of {self._settings.bag}, '
                f'mode {self._settings.mode}'
            )
            self._play_once()
            while self._settings.loop:
                # The gap between two rounds, of which the bag says nothing.
                self._spin_until(lambda: False, 1 / self._settings.rate_hz)
                self._play_once()
        finally:
            self._finish()

    def _make_publishers(self) -> dict[str, Publisher]:
        publishers = {}
        wanted = {name.strip() for name in self._settings.topics.split(',') if name.strip()}
        for name in sorted(wanted - set(self._reader.topics)):
            raise InputError(
                f'no topic {name} in {self._settings.bag}; there are '
                f'{", ".join(self._reader.topics)}'
            )
        for topic, (kind, _) in self._reader.topics.items():
            if wanted and topic not in wanted | {self._camera}:
                continue
            if topic == self._camera and self._decompress:
                publishers[topic] = self.create_publisher(Image, raw_topic(topic), RELIABLE)
                continue
            try:
                package, _, name = kind.split('/')
                message_type = getattr(importlib.import_module(f'{package}.msg'), name)
            except (ValueError, ImportError, AttributeError):
                self.get_logger().warning(f'{topic} is not played: {kind} is not installed')
                continue
            publishers[topic] = self.create_publisher(message_type, topic, RELIABLE)
        return publishers

    def _wait_for_subscribers(self) -> None:
        wanted = self._settings.wait_subscribers
        if wanted <= 0:
            return
        camera = self._publishers_by_topic[self._camera]

        def problem() -> str:
            found = camera.get_subscription_count()
            if found < wanted:
                return f'{camera.topic_name} has {found} of {wanted} subscribers'
            if self._masks and not self.count_publishers(self._masks.topic_name):
                return f'nobody publishes {self._masks.topic_name}'
            return ''

        if not self._spin_until(lambda: not problem(), self._settings.wait_timeout):
            raise InputError(
                f'{problem()} after {self._settings.wait_timeout:g} s; check that the node runs, '
                'in the same ROS_DOMAIN_ID, and its topics are remapped to these'
            )
        self._spin_until(lambda: False, SETTLE)

    def _play_once(self) -> None:
        start = time.monotonic()
        logged_start = None
        images = 0
        messages = self._reader.messages(self._publishers_by_topic.keys())
        for group in group_by_image(messages, self._camera):
            if self._settings.mode == 'fixed':
                self._wait_until(start + images / self._settings.rate_hz)
            for message in group:
                logged_start = message.time if logged_start is None else logged_start
                if self._settings.mode == 'recorded':
                    self._wait_until(start + (message.time - logged_start) / SECOND)
                if message.topic == self._camera:
                    self._acknowledged = None  # the mask before may have the same stamp
                self._send(message)
            images += any(message.topic == self._camera for message in group)
            if self._settings.mode == 'acknowledged':
                self._wait_for_mask(group)

    def _send(self, message: BagMessage) -> None:
        publisher = self._publishers_by_topic[message.topic]
        if message.topic != self._camera:
            publisher.publish(message.data)
            return
        try:
            # What lies in the bag is what goes over the wire: nothing is converted on the way.
            publisher.publish(self._decode_image(message) if self._decompress else message.data)
        except InputError as error:
            self.get_logger().warning(f'an image is not played: {error}')
            return
        self.sent += 1

    def _decode_image(self, message: BagMessage) -> Image:
        compressed = decode(message)
        image = Image()
        image.header.stamp.sec = compressed.header.stamp.sec
        image.header.stamp.nanosec = compressed.header.stamp.nanosec
        image.header.frame_id = compressed.header.frame_id
        fill_image(image, to_rgb(compressed), 'rgb8')
        return image

    def _wait_for_mask(self, group: list[BagMessage]) -> None:
        images = [message for message in group if message.topic == self._camera]
        if not images:
            return
        try:
            stamp = stamp_nanoseconds(decode(images[0]))
        except InputError:  # it was sent as it is, for the node to refuse: no mask can come
            return
        timeout = self._settings.ack_timeout
        if not self._spin_until(lambda: self._acknowledged == stamp, timeout):
            self.lost += 1
            self.get_logger().warning(f'no mask of image {self.sent} within {timeout:g} s')

    def _acknowledge(self, mask: Image) -> None:
        self._acknowledged = stamp_nanoseconds(mask)

    def _finish(self) -> None:
        self._finished.publish(UInt32(data=self.sent))
        lost = f', {self.lost} of them without a mask in time' if self.lost else ''
        self.get_logger().info(f'finished: {self.sent} images sent{lost}')
        deadline = time.monotonic() + LINGER
        for publisher in (self._finished, *self._publishers_by_topic.values()):
            # In slices, because nothing interrupts this call.
            while not publisher.wait_for_all_acked(SLICE) and time.monotonic() < deadline:
                pass

    def _wait_until(self, moment: float) -> None:
        self._spin_until(lambda: False, moment - time.monotonic())

    def _spin_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Handle callbacks until the condition holds; False if it does not within the time."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._executor.spin_once(timeout_sec=min(left, 0.05))
        return True


def main(arguments: list[str] | None = None) -> int:
    """Run the player; 0 when the bag was played, 1 when it could not be, 130 when interrupted."""
    # Without rclpy's handlers a signal is a KeyboardInterrupt wherever we are.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        Player().play()
    except (InputError, ParameterException) as error:
        print(f'player: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
