# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A launch file as the lifecycle manager: it configures the node, then activates it.

Everything else of a system can be started between the two, or when the node is active. Try it:
    ros2 launch mbu_ros managed.launch.py
    ros2 lifecycle set /segment deactivate
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo, RegisterEventHandler
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def generate_launch_description() -> LaunchDescription:
    """The node, and the transitions it is taken through."""
    node = LifecycleNode(
        package='mbu_ros',
        executable='segment_node',
        name='segment',
        namespace='',
        parameters=[{'autostart': False}],
        remappings=[('image', LaunchConfiguration('image_topic'))],
        output='screen',
    )

    def change_state(transition: int) -> EmitEvent:
        return EmitEvent(
            event=ChangeState(
                lifecycle_node_matcher=matches_action(node), transition_id=transition
            )
        )

    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'image_topic',
                default_value='/camera/image_raw',
                description='Topic of the images to segment',
            ),
            node,
            RegisterEventHandler(
                OnProcessStart(
                    target_action=node,
                    on_start=[change_state(Transition.TRANSITION_CONFIGURE)],
                )
            ),
            RegisterEventHandler(
                OnStateTransition(
                    target_lifecycle_node=node,
                    start_state='configuring',
                    goal_state='inactive',
                    entities=[change_state(Transition.TRANSITION_ACTIVATE)],
                )
            ),
            RegisterEventHandler(
                OnStateTransition(
                    target_lifecycle_node=node,
                    goal_state='active',
                    entities=[LogInfo(msg='segment is active')],
                )
            ),
        ]
    )
