# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: camera images in, class masks, overlays and diagnostics out.

Configuring loads the model, makes the engine and warms it up; activating subscribes; deactivating
unsubscribes and keeps the engine; cleaning up frees it. The executor's thread receives and answers,
one more thread segments.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.errors import InputError
from mbu_ros.node.assessment import Level
from mbu_ros.node.declaring import declare, warn_of_unknown
from mbu_ros.node.diagnostics import Diagnostics, NodeReport
from mbu_ros.node.engines import read_model
from mbu_ros.node.failures import describe_failure
from mbu_ros.node.hardware import HardwareMonitor
from mbu_ros.node.managed import ManagedNode
from mbu_ros.node.parameters import Live, read_settings
from mbu_ros.node.pipeline import Pipeline
from mbu_ros.node.retrying import Retry
from mbu_ros.node.ros_logging import forward_logging
from mbu_ros.node.simulated_time import tell_of_missing_clock
from mbu_ros.node.spinning import StopSignals, spin_until_signal

NODE_NAME = 'segment'


class SegmentNode(ManagedNode):
    """A managed node. See `mbu_ros.node.parameter_table` for its parameters.

    Args:
        options: for rclpy's LifecycleNode.

    Raises:
        rclpy.exceptions.ParameterException: a parameter given at the start cannot be used.
    """

    # Of the class, since rclpy destroys also a node whose making failed halfway.
    _pipeline: Pipeline | None = None
    _hardware: HardwareMonitor | None = None

    def __init__(self, name: str = NODE_NAME, **options: Any) -> None:
        super().__init__(name, **options)
        self._state = 'unconfigured'
        self._failure = ''
        self._checks = declare(self, self._ask_for_model, lambda: self._pipeline is None)
        warn_of_unknown(self)
        self._live = Live(self)
        self._model_asked = self.create_guard_condition(self._follow_model)
        self._hardware = HardwareMonitor()
        self._diagnostics = Diagnostics(self, self._live, self._report)
        self._retry = Retry(self, self.start)
        tell_of_missing_clock(self)

    def start(self) -> bool:
        """Configure and activate without a manager.

        Returns:
            Whether the node runs, or will be started again in a while.
        """
        if self._state != 'unconfigured':  # a manager was here first
            return True
        success = TransitionCallbackReturn.SUCCESS
        if self.trigger_configure() == success and self.trigger_activate() == success:
            return True
        return self._retry.schedule()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, make the engine, warm it up, advertise."""
        settings = read_settings(self)
        try:
            pipeline = Pipeline(self, settings, self._live, self._model_asked.trigger)
        except InputError as error:
            self._fail(f'cannot be configured: {error}')
            return TransitionCallbackReturn.FAILURE
        except (EngineUnavailable, EngineError) as error:
            self._fail(f'cannot be configured: engine {settings.engine!r}: {error}')
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self._fail(f'cannot be configured: {describe_failure(error)}')
            return TransitionCallbackReturn.ERROR
        self._retry.cancel()
        self._pipeline = pipeline
        self._failure = ''
        self._state = 'inactive'
        self._diagnostics.cameras = list(pipeline.cameras)
        self._tell_model()
        for camera in pipeline.cameras:
            results = ', '.join(camera.result_topics.values())
            self.get_logger().info(f'Topics: {camera.topic} -> {results}')
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        try:
            self._pipeline.start()
        except Exception as error:
            self._fail(f'cannot be activated: {describe_failure(error)}')
            return TransitionCallbackReturn.ERROR
        self._state = 'active'
        self._diagnostics.active_since = time.monotonic()
        topics = ', '.join(camera.topic for camera in self._pipeline.cameras)
        self.get_logger().info(f'Active: waiting for images on {topics}')
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, and let the frames being segmented finish."""
        self._diagnostics.active_since = None
        self._state = 'inactive'
        self._pipeline.stop()
        self.get_logger().info('Inactive')
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything that configuring made."""
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from any state."""
        self._retry.cancel()
        self.release()
        self._state = 'finalized'
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, so that the node may be configured again, and see to that if told."""
        # rclpy calls this when another callback raised, and keeps what it raised to itself.
        self._failure = self._failure or f'a transition from {state.label} failed'
        self.get_logger().error(f'A transition from {state.label} failed; all is freed')
        self.release()
        self._retry.schedule()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Free everything, then the node."""
        self.release()
        if self._hardware is not None:
            self._hardware.close()
        super().destroy_node()

    def release(self) -> None:
        """Free what configuring made; with nothing there it does nothing."""
        pipeline, self._pipeline = self._pipeline, None
        self._state = 'unconfigured'
        if pipeline is not None:
            self._diagnostics.forget()
            pipeline.close()
            self._tell_classes([], [])

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self.get_logger().error(reason[0].upper() + reason[1:])

    def _ask_for_model(self, name: str, sha256: str) -> None:
        """Called when the parameter is about to be changed.

        Raises:
            InputError: there is no such model, or its file cannot be used.
        """
        file = read_model(name, sha256)
        if self._pipeline is not None:
            self._pipeline.offer(file)
            self._model_asked.trigger()  # once the parameter has its new value

    def _follow_model(self) -> None:
        """Called when another model is asked for, and when one is ready or has failed."""
        pipeline = self._pipeline
        if pipeline is None:
            return
        if pipeline.follow(self.get_parameter('model').value):
            self._tell_model()
        if pipeline.complaint:
            # With the digest of another file it could not be configured again.
            digest = pipeline.file.sha256 or self._live.model_sha256
            self._checks.set_own(
                Parameter('model', value=pipeline.file.name),
                Parameter('model_sha256', value=digest),
            )

    def _tell_model(self) -> None:
        file = self._pipeline.file
        classes, (height, width) = file.model.classes, file.model.input_size
        log = self.get_logger()
        log.info(f'Model: {file.model.name}, {width}x{height}, from {file.path}')
        log.info(f'Classes: {len(classes)}: {", ".join(classes.names)}')
        self._tell_classes(list(classes.names), [int(v) for rgb in classes.colors for v in rgb])

    def _tell_classes(self, names: list[str], colors: list[int]) -> None:
        self._checks.set_own(
            Parameter('class_names', Parameter.Type.STRING_ARRAY, names),
            Parameter('class_colors', Parameter.Type.INTEGER_ARRAY, colors),
        )

    def _report(self) -> NodeReport:
        """For the diagnostics."""
        pipeline, hardware = self._pipeline, self._hardware.values
        if pipeline is None:
            text = self._failure or f'{self._state}: no engine is made'
            level = Level.ERROR if self._failure else Level.OK
            return NodeReport(self._state, level, text + self._retry.text, hardware=hardware)
        pipeline.measure()
        level, text = Level.OK, ''
        if pipeline.complaint:
            level, text = Level.WARN, f'{pipeline.complaint}; {pipeline.file.name} goes on'
        elif pipeline.coming:
            text = f'{pipeline.file.name} runs, {pipeline.coming} is being made ready'
        return NodeReport(self._state, level, text, pipeline.engine, pipeline.file, hardware)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; returns the process's exit code."""
    signals = StopSignals()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = SegmentNode()
        forward_logging(node.get_logger())
    # A parameter that is refused; or, as RuntimeError, a command line or a file of parameters that
    # ROS cannot read.
    except (ParameterException, RuntimeError) as error:
        get_logger(NODE_NAME).fatal(str(error))
        rclpy.try_shutdown()
        return 1
    try:
        if node.get_parameter('autostart').value and not node.start():
            return 1
        spin_until_signal(node, signals)
        return 0
    finally:
        node.destroy_node()
        rclpy.shutdown()


if __name__ == '__main__':
    sys.exit(main())
