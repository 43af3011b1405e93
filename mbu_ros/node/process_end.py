# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Says on /diagnostics that the node's process has ended, which the node itself cannot.

Used by the launch file, whose process outlives that of the node. A node that is started again takes
seconds to be heard, most of which its middleware spends on finding its peers; whoever was there
before it ended hears this at once.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

import rclpy
import rclpy.duration
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from mbu_ros.exit_code import describe_exit

NODE_NAME = 'segment_process'
TOLD_SECONDS = 1.0
"""How long to wait, at most, until subscribers have what was last said."""


def cause_of_end(returncode: int) -> str:
    """As `describe_exit`, but with the name of a signal."""
    try:
        return f'was ended by {signal.Signals(-returncode).name}'
    except ValueError:  # no signal, or one without a name
        return describe_exit(returncode)


def end_status(
    name: str, pid: int, returncode: int, respawn_delay: float | None
) -> DiagnosticStatus:
    """An ERROR under the name of the node's own status, which replaces it once it is back.

    Args:
        name: the node's with its namespace, as `Node.get_fully_qualified_name` gives it.
        pid, returncode: of the process that ended.
        respawn_delay: seconds until it is started again; None where it is not.
    """
    then = (
        'nothing starts it again: see its log, and start it with respawn:=true to have that done'
        if respawn_delay is None
        else f'it is started again in {respawn_delay:g} s, and there are no masks until then'
    )
    values = {'Process': pid, 'Exit code': returncode, 'Lifecycle state': 'unknown'}
    return DiagnosticStatus(
        level=DiagnosticStatus.ERROR,
        name=f'{name.lstrip("/")}: engine',
        message=f'the process of the node {cause_of_end(returncode)}; {then}',
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


class ProcessEnd:
    """A publisher of its own, which is there before it is needed.

    Nothing has to spin it. In a context of its own, since the security enclave is the node's.

    Args:
        name: of the node that is watched.
        namespace: of that node.
        ros_arguments: as that node has them after `--ros-args`: remappings and enclave.

    Raises:
        RuntimeError: rclpy cannot start, such as for keys that are missing.
    """

    def __init__(self, name: str, namespace: str, ros_arguments: Sequence[str] = ()) -> None:
        self._context = rclpy.Context()
        rclpy.init(
            context=self._context,
            args=['--ros-args', *ros_arguments],
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node(
            NODE_NAME,
            namespace=namespace,
            context=self._context,
            enable_rosout=False,
            # No services: the policies of config/sros2 allow those of the watched node alone.
            start_parameter_services=False,
            parameter_overrides=[Parameter('start_type_description_service', value=False)],
        )
        self._watched = f'{self._node.get_namespace().rstrip("/")}/{name}'
        self._publisher = self._node.create_publisher(DiagnosticArray, '/diagnostics', 1)

    def tell(self, pid: int, returncode: int, respawn_delay: float | None) -> None:
        """Publish that the process has ended; see `end_status`."""
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.status = [end_status(self._watched, pid, returncode, respawn_delay)]
        self._publisher.publish(message)

    def close(self) -> None:
        """Let what was said last arrive, and end."""
        if not self._context.ok():
            return
        self._publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=TOLD_SECONDS))
        self._node.destroy_node()
        self._context.try_shutdown()
