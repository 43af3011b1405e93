# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a bag's topics over DDS with the time of the bag on /clock, and says when it is done.

It does what `ros2 bag play` does, where that is not installed or cannot read the bag. It starts
when somebody listens, so that no frame is lost at the start, and ends by publishing the number of
images sent on `player/finished` (std_msgs/UInt32, latched). Exit code 0 when all that can be read
of the bag was played, also where it is ended while it only stays to send again what got lost.
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import time
from collections.abc import Callable

import rclpy
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import UInt32

from mbu_ros.bags.cameras import choose_cameras
from mbu_ros.bags.format import SECOND, stamp_nanoseconds
from mbu_ros.bags.message import BagMessage, decode
from mbu_ros.bags.playback import MODES
from mbu_ros.bags.reader import BagReader
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.bag_clock import BagClock
from mbu_ros.evaluation.live.interrupting import interrupt_on_signals
from mbu_ros.evaluation.live.parameters import declare, given
from mbu_ros.evaluation.live.player_settings import PARAMETERS
from mbu_ros.node.parameter_services import ParameterServices

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


class Player(Node):
    """The node; `play` does everything.

    Attributes:
        sent: images sent so far.
        lost: images whose mask did not come in time (mode acknowledged).

    Raises:
        InputError: the bag or a parameter is unusable.
    """

    def __init__(self) -> None:
        super().__init__('player', start_parameter_services=False)
        self._parameter_services = ParameterServices(self)
        settings = self._settings = declare(self, PARAMETERS)
        if settings.mode not in MODES:
            raise InputError(f'no mode {settings.mode!r}; choose one of {", ".join(MODES)}')
        if not settings.bag:
            raise InputError('which bag? Set the parameter bag to its path')
        self.sent = 0
        self.lost = 0
        found = choose_cameras(settings.bag, given(settings.image_topics))
        self._cameras = [camera.image_topic for camera in found]
        self._images = sum(camera.frames for camera in found)
        self._reader = BagReader(settings.bag, self._cameras[0], '')
        self._publishers_by_topic = self._make_publishers()
        self._finished = self.create_publisher(UInt32, FINISHED_TOPIC, FINISHED_QOS)
        self._clock_publisher = BagClock(self, self._reader.start, settings.clock_hz)
        self._acknowledged: dict[str, int] = {}
        self._masks = self._expect_masks() if settings.mode == 'acknowledged' else []
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def play(self) -> None:
        """Wait for subscribers, play, and say that it is done.

        Raises:
            InputError: nobody subscribes, or the bag became unreadable; what could be read was
                played.
            KeyboardInterrupt: it came before all was sent.
        """
        try:
            self._wait_for_subscribers()
            self.get_logger().info(
                f'playing {self._images} images of {self._settings.bag}, '
                f'mode {self._settings.mode}'
            )
            self._play_once()
            while self._settings.loop:
                # The gap between two rounds, of which the bag says nothing.
                self._spin_until(lambda: False, 1 / self._settings.rate_hz)
                self._play_once()
        except BaseException:
            self._finish()
            raise
        # A launch file ends it as soon as the masks are judged: then nobody misses anything.
        with contextlib.suppress(KeyboardInterrupt):
            self._finish()

    def _make_publishers(self) -> dict[str, Publisher]:
        publishers = {}
        wanted = set(given(self._settings.topics))
        for name in sorted(wanted - set(self._reader.topics)):
            raise InputError(
                f'no topic {name} in {self._settings.bag}; there are '
                f'{", ".join(self._reader.topics)}'
            )
        for topic, (kind, _) in self._reader.topics.items():
            # A time of its own that the bag holds would contradict ours.
            if topic == '/clock' or wanted and topic not in wanted | set(self._cameras):
                continue
            try:
                package, _, name = kind.split('/')
                message_type = getattr(importlib.import_module(f'{package}.msg'), name)
            except (ValueError, ImportError, AttributeError):
                self.get_logger().warning(f'{topic} is not played: {kind} is not installed')
                continue
            publishers[topic] = self.create_publisher(message_type, topic, RELIABLE)
        return publishers

    def _expect_masks(self) -> list[str]:
        topics = given(self._settings.mask_topics)
        if len(topics) != len(self._cameras):
            raise InputError(
                f'mask_topics has {len(topics)} topics for {len(self._cameras)} cameras; in mode '
                'acknowledged each camera needs one, in the same order'
            )
        for camera, topic in zip(self._cameras, topics):
            self.create_subscription(
                Image, topic, lambda mask, camera=camera: self._acknowledge(camera, mask), RELIABLE
            )
        return [self.resolve_topic_name(topic) for topic in topics]

    def _wait_for_subscribers(self) -> None:
        wanted = self._settings.wait_subscribers
        if wanted <= 0:
            return

        def problem() -> str:
            for camera in self._cameras:
                found = self._publishers_by_topic[camera].get_subscription_count()
                if found < wanted:
                    return f'{camera} has {found} of {wanted} subscribers'
            for topic in self._masks:
                if not self.count_publishers(topic):
                    return f'nobody publishes {topic}'
            return ''

        if not self._spin_until(lambda: not problem(), self._settings.wait_timeout):
            raise InputError(
                f'{problem()} after {self._settings.wait_timeout:g} s; check that the node runs, '
                'in the same ROS_DOMAIN_ID, and its topics are remapped to these'
            )
        self._spin_until(lambda: False, SETTLE)

    def _play_once(self) -> None:
        settings = self._settings
        start = time.monotonic()
        logged_start = None
        periods = 0
        for message in self._reader.messages(self._publishers_by_topic.keys()):
            if logged_start is None:
                logged_start = message.time
                self._clock_publisher.jump(logged_start)
            if settings.mode == 'recorded':
                due = (message.time - logged_start) / SECOND / settings.speed
                self._clock_publisher.run(message.time, start + due, settings.speed)
                self._wait_until(start + due)
            elif settings.mode == 'fixed' and message.topic == self._cameras[0]:
                self._wait_until(start + periods / settings.rate_hz)
                periods += 1
            self._send(message)
        for loss in self._reader.losses:
            self.get_logger().warning(loss)

    def _send(self, message: BagMessage) -> None:
        publisher = self._publishers_by_topic[message.topic]
        if message.topic not in self._cameras:
            publisher.publish(message.data)
            return
        self._acknowledged.pop(message.topic, None)  # the mask before may have the same stamp
        self._clock_publisher.reach(message.time)
        # What lies in the bag is what goes over the wire: nothing is converted on the way.
        publisher.publish(message.data)
        self.sent += 1
        if self._masks:
            self._wait_for_mask(message)

    def _wait_for_mask(self, message: BagMessage) -> None:
        try:
            stamp = stamp_nanoseconds(decode(message))
        except InputError:  # it was sent as it is, for the node to refuse: no mask can come
            return
        timeout = self._settings.ack_timeout
        if not self._spin_until(lambda: self._acknowledged.get(message.topic) == stamp, timeout):
            self.lost += 1
            self.get_logger().warning(f'no mask of image {self.sent} within {timeout:g} s')

    def _acknowledge(self, camera: str, mask: Image) -> None:
        self._acknowledged[camera] = stamp_nanoseconds(mask)

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
    interrupt_on_signals()
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        Player().play()
    except (InputError, NameValidationException, ParameterException) as error:
        print(f'player: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # it is ending
            signal.signal(number, signal.SIG_IGN)
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
