# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node that survives wrong requests in every supported release of ROS 2."""

from __future__ import annotations

from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from mbu_ros.node.parameter_services import ParameterServices


class ManagedNode(LifecycleNode):
    """A LifecycleNode that answers a transition which is not possible now with failure.

    In Humble and Jazzy such a request raises out of the executor and ends the process; later
    releases catch it where this does. Of parameters see `parameter_services`.

    Args:
        options: for rclpy's LifecycleNode.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, start_parameter_services=False, **options)
        self._parameter_services = ParameterServices(self)

    # The mangled name of a private method of rclpy.
    def _LifecycleNodeMixin__change_state(
        self, transition_id: int
    ) -> TransitionCallbackReturn:
        try:
            return super()._LifecycleNodeMixin__change_state(transition_id)
        except rclpy_implementation.RCLError as error:
            self.get_logger().error(f'Transition {transition_id} was refused: {error}')
            return TransitionCallbackReturn.ERROR
