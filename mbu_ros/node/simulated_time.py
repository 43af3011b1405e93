# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Says that nobody publishes the simulated time which the node was told to use."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

PATIENCE_SECONDS = 5.0


def tell_of_missing_clock(node: Node) -> None:
    """Look after a while whether time goes on, and log once that it does not.

    Nothing in the node waits for it: frames keep the stamps of their camera, and timers run by a
    steady clock. But what the node stamps itself would have time zero.
    """

    def look() -> None:
        node.destroy_timer(timer)
        simulated = node.get_parameter('use_sim_time').value
        if simulated and node.get_clock().now().nanoseconds == 0:
            node.get_logger().warning(
                f'use_sim_time is set, but no time came on {node.resolve_topic_name("/clock")} in '
                f'{PATIENCE_SECONDS:.0f} s: images are segmented all the same, /diagnostics has '
                'stamps of time zero. Start the simulation, play the bag with --clock, or set '
                'use_sim_time to false'
            )

    timer = node.create_timer(PATIENCE_SECONDS, look, clock=Clock(clock_type=ClockType.STEADY_TIME))
