# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets the player begin when everybody listens, so that nothing is lost at the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.cameras import LiveCamera

SETTLE = 0.5
"""Seconds between seeing an endpoint and counting on it: DDS shows one to us a moment before it has
connected it to its other partners."""
CLOCK_PATIENCE = 10.0
"""Seconds to wait for simulated time before doing without."""
REPEAT = 2.0
"""Seconds until an unanswered player is told again to begin."""


class StartGate:
    """The steps to the first image; `step` takes them, one after the other.

    1. The node's endpoints are there, and the time of the bag on /clock.
    2. `listen` is called: it subscribes to the images. Our own player begins now.
    3. A player that was started paused is told to resume.

    Args:
        node: the evaluator.
        cameras: of the segment node.
        listen: subscribes to the images; called once.
        resume: name of the service that starts the player; '' where it starts by itself.

    Raises:
        InputError: such a service cannot be called here.
    """

    def __init__(
        self,
        node: Any,
        cameras: Sequence[LiveCamera],
        listen: Callable[[], None],
        resume: str,
    ) -> None:
        self._node = node
        self._cameras = cameras
        self._listen = listen
        self._resume = _make_client(node, resume) if resume else None
        self._ready_since: float | None = None
        self._listening_since: float | None = None
        self._asked_at = -REPEAT
        self._answer: Any = None

    @property
    def listening(self) -> bool:
        """Whether the images are subscribed to."""
        return self._listening_since is not None

    @property
    def open(self) -> bool:
        """Whether the player has all that it needs to begin."""
        if self._resume is None:
            return self.listening
        return self._answer is not None and self._answer.done()

    def problem(self) -> str:
        """What is still missing, for people; '' where nothing is."""
        for camera in self._cameras:
            if not self._node.count_publishers(camera.mask_topic):
                return (
                    f'nobody publishes {camera.mask_topic}; check that the segment node runs in '
                    'this ROS_DOMAIN_ID, is active, and publishes its masks there'
                )
            if not self.listening and not self._node.count_subscribers(camera.image_topic):
                return (
                    f'nobody subscribes to {camera.image_topic}; check that the topic image of '
                    'the segment node is remapped to it, and that it takes '
                    f'{"CompressedImage" if camera.compressed else "Image"}'
                )
            if self._resume and not self._node.count_publishers(camera.image_topic):
                return f'nobody publishes {camera.image_topic}; check that the player runs'
        if self._resume and not self._resume.service_is_ready():
            return f'there is no service {self._resume.srv_name}; check that the player runs'
        return ''

    def step(self) -> None:
        """Go on as far as possible without waiting; call it again and again until `open`."""
        now = time.monotonic()
        if not self.listening:
            if self.problem():
                self._ready_since = None
                return
            self._ready_since = self._ready_since or now
            waited = now - self._ready_since
            if waited < SETTLE or not self._has_time(waited):
                return
            self._listening_since = now
            self._listen()
        elif self._resume is not None and self._listening_since is not None and not self.open:
            if now - self._listening_since < SETTLE or now - self._asked_at < REPEAT:
                return
            self._asked_at = now
            self._answer = self._resume.call_async(self._resume.srv_type.Request())

    def _has_time(self, waited: float) -> bool:
        if not self._node.get_parameter('use_sim_time').value:
            return True
        if self._node.get_clock().now().nanoseconds:
            return True
        if waited < CLOCK_PATIENCE:
            return False
        self._node.get_logger().warning(
            f'no time came on /clock in {CLOCK_PATIENCE:g} s: the player begins without'
        )
        return True


def _make_client(node: Any, name: str) -> Any:
    try:
        from rosbag2_interfaces.srv import Resume
    except ImportError as error:
        raise InputError(
            f'the player cannot be told to begin by {name}: rosbag2_interfaces, which comes with '
            "ros2 bag, is not installed; leave 'resume' empty"
        ) from error
    return node.create_client(Resume, name)
