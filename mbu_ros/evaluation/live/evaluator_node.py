# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a running segment node: records its masks while a bag is played, then judges them.

It lets the player begin when everybody listens, and ends by itself when the player is done and the
last mask has come. Exit code 0 with a report; 3 where the report missed a threshold; 1 when no mask
came, or node or player ended before their time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import UInt32

from mbu_ros.bags.cameras import choose_cameras
from mbu_ros.bags.format import stamp_nanoseconds
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.cameras import LiveCamera, given_labels, name_cameras
from mbu_ros.evaluation.live.conclusion import Conclusion
from mbu_ros.evaluation.live.end_watch import EndWatch
from mbu_ros.evaluation.live.evaluator_settings import PARAMETERS
from mbu_ros.evaluation.live.interrupting import interrupt_on_signals
from mbu_ros.evaluation.live.node_parameters import ParameterQuery
from mbu_ros.evaluation.live.node_state import NodeState
from mbu_ros.evaluation.live.parameters import declare, given
from mbu_ros.evaluation.live.player_node import FINISHED_QOS, FINISHED_TOPIC
from mbu_ros.evaluation.live.recording import Recording, stamp_of
from mbu_ros.evaluation.live.start_gate import StartGate
from mbu_ros.evaluation.live.timing_values import read_timing
from mbu_ros.evaluation.mask_files import MaskFiles
from mbu_ros.imaging.messages import to_label
from mbu_ros.node.memory import keep_freed_memory
from mbu_ros.node.parameter_services import ParameterServices

RESULTS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
IMAGES = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class Evaluator(Node):
    """The node; `run` does everything.

    Args:
        masks: folder for masks, where they are not to be saved in another.

    Raises:
        InputError: the bag, the model or a parameter is unusable.
    """

    def __init__(self, masks: Path) -> None:
        super().__init__('evaluator', start_parameter_services=False)
        self._parameter_services = ParameterServices(self)
        settings = self._settings = declare(self, PARAMETERS)
        if not settings.bag:
            raise InputError('which bag? Set the parameter bag to its path')
        labels = given_labels(settings.label_topics)
        found = choose_cameras(settings.bag, given(settings.image_topics), labels)
        self._cameras = name_cameras(found, given(settings.cameras))
        topics = [camera.image_topic for camera in self._cameras]
        self._conclusion = Conclusion(settings, topics, labels)
        self._recording = Recording(topics, MaskFiles(settings.save_masks or masks))
        self._state = NodeState()
        self._gate = StartGate(self, self._cameras, self._listen_to_images, settings.resume)
        self._watch = EndWatch(
            self._recording,
            self._state,
            self._gate,
            Path(settings.ends) if settings.ends else None,
            start_timeout=settings.start_timeout,
            idle_timeout=settings.idle_timeout,
        )
        self._finished = self.create_subscription(
            UInt32,
            FINISHED_TOPIC,
            lambda message: self._watch.note_finish(message.data),
            FINISHED_QOS,
        )
        self.create_subscription(DiagnosticArray, '/diagnostics', self._take_diagnostics, RESULTS)
        for camera in self._cameras:
            self._listen_to_results(camera)
        self._query = ParameterQuery(self, settings.node)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def run(self) -> int:
        """Record until the end, or until interrupted, then judge; returns the exit code.

        Raises:
            InputError: the bag became unreadable, or a file cannot be written.
        """
        failure = self._record()
        if failure:
            self.get_logger().error(failure)
        self._recording.finish()
        if not self._recording.masks:
            print(f'evaluator: {failure or self._explain_silence()}', file=sys.stderr)
            return 1
        code = self._conclusion.report(
            self._recording,
            self._state,
            sent=self._watch.sent,
            failure=failure,
            node_parameters=self._query.values,
        )
        return 1 if failure else code

    def _record(self) -> str:
        """Why the run was over before its time; '' where it was not."""
        try:
            while not self._watch.done(bool(self.count_publishers(self._finished.topic_name))):
                if not self._gate.open:
                    self._gate.step()
                self._query.look()
                self._executor.spin_once(timeout_sec=0.1)
        except KeyboardInterrupt:
            return 'interrupted'
        return self._watch.failure

    def _listen_to_results(self, camera: LiveCamera) -> None:
        topic = camera.image_topic

        def take_mask(message: Image, now: int) -> None:
            self._watch.note_arrival()
            try:
                mask = to_label(message)
            except InputError as error:
                self.get_logger().error(f'mask not used: {error}', throttle_duration_sec=5.0)
                return
            self._recording.add_mask(topic, stamp_nanoseconds(message), mask, now)

        def take_timing(message: DiagnosticArray) -> None:
            stages = read_timing(message, decoded=camera.compressed)
            self._recording.add_stages(topic, stamp_nanoseconds(message), stages)

        self.create_subscription(Image, camera.mask_topic, _with_receipt(take_mask), RESULTS)
        self.create_subscription(DiagnosticArray, camera.timing_topic, take_timing, RESULTS)

    def _listen_to_images(self) -> None:
        keep_freed_memory()
        for camera in self._cameras:

            def take_image(message: bytes, now: int, topic: str = camera.image_topic) -> None:
                self._watch.note_arrival()
                self._recording.add_image(topic, stamp_of(message), now)

            self.create_subscription(
                CompressedImage if camera.compressed else Image,
                camera.image_topic,
                _with_receipt(take_image),
                IMAGES,
                raw=True,  # of an image, only its stamp is of interest here
            )

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        self._state.update(message.status, self._settings.node, time.monotonic())

    def _explain_silence(self) -> str:
        sent = self._watch.sent
        images = self._recording.images if sent is None else sent
        masks = ', '.join(camera.mask_topic for camera in self._cameras)
        topics = ', '.join(camera.image_topic for camera in self._cameras)
        return (
            f'no mask came on {masks} for {images} images; the node '
            f'{self._settings.node!r} says that it received {self._state.received}. Check its log, '
            f'and that its topic image is remapped to {topics}'
        )


def _with_receipt(take: Callable[[Any, int], None]) -> Callable[..., None]:
    """A callback that also gets when the middleware received the message, in nanoseconds.

    Whatever else this process is doing, that time is right. Humble, and some middleware, do not
    tell it; it is the time of the call then.
    """
    if not hasattr(Subscription, 'CallbackType'):
        return lambda message: take(message, time.time_ns())
    return lambda message, info: take(message, info.get('received_timestamp') or time.time_ns())


def main(arguments: list[str] | None = None) -> int:
    """Run the evaluator; see the module for its exit codes."""
    interrupt_on_signals()
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    with ExitStack() as stack:
        stack.callback(rclpy.try_shutdown)
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix='mbu_ros_masks_'))
            return Evaluator(Path(folder)).run()
        except (InputError, NameValidationException, ParameterException) as error:
            print(f'evaluator: {error}', file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130


if __name__ == '__main__':
    sys.exit(main())
