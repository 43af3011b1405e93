# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a running segment node: matches its masks to labels by stamp, measures, reports.

It ends by itself when the player is done and the last mask has come, or, with another player, when
nothing arrives for a while. Exit code 0 with a report, 1 when no mask came.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import UInt32

from mbu_ros.bags.format import (
    IMAGE_TOPIC,
    LABEL_TOPIC,
    stamp_name,
    stamp_nanoseconds,
)
from mbu_ros.errors import InputError
from mbu_ros.evaluation.evaluate import Evaluation
from mbu_ros.evaluation.live.live_evaluation import LiveEvaluation
from mbu_ros.evaluation.live.node_state import NodeState
from mbu_ros.evaluation.live.parameters import declare
from mbu_ros.evaluation.live.player_node import FINISHED_QOS, FINISHED_TOPIC
from mbu_ros.evaluation.report.report import print_report, write_json
from mbu_ros.imaging.messages import to_label, to_rgb
from mbu_ros.imaging.sheet import write_image
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model

IN_FLIGHT = 1.0
"""Seconds after the player's end after which no image is under way to the node any more."""
BUSY_TIMEOUT = 120.0
"""Seconds to wait for the mask of a frame that the node says it is still working on."""
DIAGNOSTICS_WAIT = 2.5
"""Seconds to wait for diagnostics that include the last frame; they come once a second."""

RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)

PARAMETERS = {
    'mask_topic': ('segmentation/mask', 'The masks to evaluate.'),
    'label_topic': (LABEL_TOPIC, 'Labels (mono8) with the stamps of their images; empty: none.'),
    'image_topic': (IMAGE_TOPIC, 'The camera, for the pictures of the report.'),
    'model': ('synthetic', 'Shipped model or model file that the node runs; it names the classes.'),
    'node': ('segment', 'Name of the segment node, with its namespace if it has one.'),
    'source': ('', 'What is played, for the report; empty: the camera topic.'),
    'report': ('', 'Folder for report.json, frames.csv and pictures; empty: none.'),
    'json': ('', 'File for the report as JSON; empty: none.'),
    'save_masks': ('', 'Folder for every mask as STAMP.png; empty: none.'),
    'idle_timeout': (10.0, 'Seconds without any message after which it ends.'),
}
"""Default and description of each parameter."""


class Evaluator(Node):
    """The node; `run` does everything.

    Raises:
        InputError: the model cannot be loaded.
    """

    def __init__(self) -> None:
        super().__init__('evaluator')
        settings = self._settings = declare(self, PARAMETERS)
        self._model = load_model(find_model(settings.model))
        pictures = bool(settings.report)
        self._live = LiveEvaluation(
            Evaluation(self._model.classes, pictures=pictures),
            images=pictures,
            labels=bool(settings.label_topic),
        )
        self._state = NodeState()
        self._sent: int | None = None
        self._finished_at = 0.0
        self._last_arrival: float | None = None
        self._listening = False
        self._mask_topic = self.resolve_topic_name(settings.mask_topic)
        self._finished = self.create_subscription(
            UInt32, FINISHED_TOPIC, self._take_finished, FINISHED_QOS
        )
        self.create_subscription(DiagnosticArray, '/diagnostics', self._take_diagnostics, RELIABLE)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def run(self) -> int:
        """Evaluate until the end, or until interrupted, and report; returns the exit code.

        Raises:
            InputError: a file of the report cannot be written.
        """
        try:
            while not self._done():
                self._listen()
                self._executor.spin_once(timeout_sec=0.1)
        except KeyboardInterrupt:
            self.get_logger().info('interrupted: reporting what came so far')
        return self._report()

    def _listen(self) -> None:
        # The player starts when the camera topic has its subscribers. Joining only when somebody
        # publishes masks makes our subscription say that the whole path is there.
        if self._listening or not self.count_publishers(self._mask_topic):
            return
        self._listening = True
        settings = self._settings
        if settings.label_topic:
            self.create_subscription(Image, settings.label_topic, self._take_label, RELIABLE)
        if settings.report or not settings.label_topic:
            self.create_subscription(Image, settings.image_topic, self._take_image, RELIABLE)
        # Last, because of what has come meanwhile the executor hands out older subscriptions first:
        # the receipt of a frame is then noted before that of its mask.
        self.create_subscription(Image, settings.mask_topic, self._take_mask, RELIABLE)

    def _take_image(self, message: Image) -> None:
        now = self._arrived()
        try:
            self._live.add_image(stamp_nanoseconds(message), to_rgb(message), now)
        except InputError as error:
            self.get_logger().warning(f'image not used: {error}', throttle_duration_sec=5.0)

    def _take_label(self, message: Image) -> None:
        now = self._arrived()
        try:
            self._live.add_label(stamp_nanoseconds(message), to_label(message), now)
        except InputError as error:
            self.get_logger().warning(f'label not used: {error}', throttle_duration_sec=5.0)

    def _take_mask(self, message: Image) -> None:
        now = self._arrived()
        stamp = stamp_nanoseconds(message)
        try:
            mask = to_label(message)
        except InputError as error:
            self.get_logger().error(f'mask not used: {error}', throttle_duration_sec=5.0)
            return
        self._live.add_mask(stamp, mask, now)
        if self._settings.save_masks:
            write_image(Path(self._settings.save_masks) / f'{stamp_name(stamp)}.png', mask)

    def _take_finished(self, message: UInt32) -> None:
        self._finished_at = self._arrived()
        self._sent = message.data

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        self._state.update(message.status, self._settings.node, time.monotonic())

    def _arrived(self) -> float:
        self._last_arrival = time.monotonic()
        return self._last_arrival

    def _done(self) -> bool:
        if self._last_arrival is None:
            return False
        quiet = time.monotonic() - self._last_arrival
        if self._sent is None:
            # A player of ours that pauses will still say when it is done; another one never does.
            ours = self.count_publishers(self._finished.topic_name)
            return quiet > self._settings.idle_timeout and not ours
        state = self._state
        alive = state.time is not None and time.monotonic() - state.time < DIAGNOSTICS_WAIT
        busy = alive and not state.idle
        if quiet > (BUSY_TIMEOUT if busy else self._settings.idle_timeout):
            return True
        complete = self._live.masks >= self._sent
        if complete and quiet > DIAGNOSTICS_WAIT:
            return True
        # The node's own word that nothing more is to come, newer than the last thing we heard.
        if state.time is None or not state.idle or state.segmented > self._live.masks:
            return False
        in_flight = 0.0 if complete else IN_FLIGHT
        return state.time > max(self._last_arrival, self._finished_at + in_flight)

    def _report(self) -> int:
        self._live.flush()
        settings = self._settings
        if not self._live.masks:
            print(f'evaluator: {self._explain_silence()}', file=sys.stderr)
            return 1
        evaluation = self._live.evaluation
        report = evaluation.report(
            mode='live',
            source=settings.source or settings.image_topic,
            model=self._state.model or self._model.name,
            engine=self._state.engine,
            device=self._state.device,
            frames_in=max(self._sent or 0, self._live.seen),
            stages_ms=self._state.stages_ms,
        )
        print_report(report)
        if self._live.unusable_labels:
            print(f'{self._live.unusable_labels} labels could not be used, see the warnings')
        if self._live.repeated:
            print(
                f'{self._live.repeated} messages had the stamp of a frame that was evaluated '
                'already, and were left out; check that the camera stamps each image, and that '
                'one node runs'
            )
        if settings.json:
            write_json(settings.json, report)
        if settings.report:
            for path in evaluation.write_folder(settings.report, report):
                print(path)
        return 0

    def _explain_silence(self) -> str:
        sent = self._live.seen if self._sent is None else self._sent
        if not self._listening:
            return (
                f'nobody published {self._mask_topic}; check that the segment node runs in this '
                'ROS_DOMAIN_ID, is active, and publishes its masks there'
            )
        return (
            f'no mask came on {self._mask_topic} for {sent} images; the node '
            f'{self._settings.node!r} says that it received {self._state.received}. Check its log, '
            f'and that its topic image is remapped to {self._settings.image_topic}'
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the evaluator; 0 with a report, 1 without a mask or with unusable parameters."""
    # Without rclpy's handlers a signal is a KeyboardInterrupt, and what came is reported.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        return Evaluator().run()
    except (InputError, ParameterException) as error:
        print(f'evaluator: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
