# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: camera images in, class masks, overlays and diagnostics out.

Configuring loads the model, makes the engine and warms it up; activating subscribes; deactivating
unsubscribes and keeps the engine; cleaning up frees it. The executor's thread receives and answers,
one more thread segments.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rclpy
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from mbu_ros.engine.base import Engine, EngineError, EngineUnavailable
from mbu_ros.engine.select import create_engine
from mbu_ros.errors import InputError
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import Model
from mbu_ros.model.file import load_model
from mbu_ros.node.cameras import Camera
from mbu_ros.node.diagnostics import Diagnostics
from mbu_ros.node.lasting import LastingEngine
from mbu_ros.node.managed import ManagedNode
from mbu_ros.node.parameters import declare, read_settings
from mbu_ros.node.ros_logging import forward_logging
from mbu_ros.node.spinning import StopSignals, spin_until_signal
from mbu_ros.node.worker import EngineThread

NODE_NAME = 'segment'


class SegmentNode(ManagedNode):
    """A managed node. See `mbu_ros.node.parameters` for its parameters.

    Raises:
        rclpy.exceptions.ParameterException: a parameter given at the start cannot be used.
    """

    def __init__(self) -> None:
        super().__init__(NODE_NAME)
        declare(self)
        self._worker: EngineThread | None = None
        self._camera: Camera | None = None
        self._diagnostics: Diagnostics | None = None

    def start(self) -> bool:
        """Configure and activate without a manager; whether both succeeded."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, make the engine, warm it up, advertise."""
        settings = read_settings(self)
        try:
            path = find_model(settings.model)
            model = load_model(path)
            log = self.get_logger()
            self._worker = EngineThread(
                lambda: LastingEngine(lambda: _warm_engine(settings.engine, model), log)
            )
        except InputError as error:
            return self._fail(str(error))
        except (EngineUnavailable, EngineError) as error:
            return self._fail(f'engine {settings.engine!r}: {error}')
        # rclpy would swallow anything else without a word.
        except Exception as error:
            return self._fail(f'{type(error).__name__}: {error}')
        worker = self._worker
        camera = Camera(self, settings, lambda: worker.submit(camera.segment_newest, worker.engine))
        self._camera = camera
        self._diagnostics = Diagnostics(
            self, camera.topic, camera.statistics, lambda: worker.engine.state, path
        )
        self._log_configuration(model, path)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        self._camera.open()
        self._diagnostics.active = True
        self.get_logger().info(f'Active: waiting for images on {self._camera.topic}')
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, and let the frame being segmented finish."""
        self._diagnostics.active = False
        self._camera.close()
        self._worker.drain()
        self.get_logger().info('Inactive')
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything that configuring made."""
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from any state."""
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, so that the node may be configured again."""
        # rclpy calls this when another callback raised, and keeps what it raised to itself.
        self.get_logger().error(f'A transition from {state.label} failed; all was freed')
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def release(self) -> None:
        """Free what is there; called with nothing there it does nothing."""
        if self._camera is not None:
            self._camera.close()
        if self._worker is not None:
            self._worker.close()  # in the engine's own thread
            self._worker = None
        if self._camera is not None:
            self._camera.destroy()
            self._camera = None
        if self._diagnostics is not None:
            self._diagnostics.close()
            self._diagnostics = None

    def _fail(self, reason: str) -> TransitionCallbackReturn:
        self.get_logger().error(f'Cannot be configured: {reason}')
        return TransitionCallbackReturn.FAILURE

    def _log_configuration(self, model: Model, path: Path) -> None:
        names = model.classes.names
        mask, overlay = self._camera.result_topics
        height, width = model.input_size
        log = self.get_logger()
        log.info(f'Model: {model.name}, {width}x{height}, from {path}')
        log.info(f'Classes: {len(names)}: {", ".join(names)}')
        log.info(f'Topics: {self._camera.topic} -> {mask}, {overlay}, /diagnostics')


def _warm_engine(name: str, model: Model) -> tuple[Engine, str]:
    """Make an engine and run one frame through it, so that the first of a camera is no slower."""
    engine, reason = create_engine(name, model)
    try:
        engine.segment([np.zeros((*model.input_size, 3), np.uint8)])
    except BaseException:
        engine.close()
        raise
    return engine, reason


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
        node.release()
        node.destroy_node()
        rclpy.shutdown()


if __name__ == '__main__':
    sys.exit(main())
