# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shows what segment_node publishes, in RViz or Foxglove; on the robot or on another machine.

RViz shows one camera, the first. Without RViz or foxglove_bridge installed, this says so and goes
on, because the node should not fail for want of somebody to watch.
"""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """RViz and foxglove_bridge, as the arguments say."""
    booleans = ['true', 'false']
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of segment_node'
            ),
            DeclareLaunchArgument(
                'cameras',
                default_value='',
                description='Name of the camera to show; of several, the first',
            ),
            DeclareLaunchArgument(
                'image_topic',
                default_value='/camera/image_raw',
                description='Topic of its images, where cameras is empty',
            ),
            DeclareLaunchArgument(
                'image_topics',
                default_value='',
                description='Topic of the images of each of cameras; empty: NAME/image',
            ),
            DeclareLaunchArgument(
                'rviz',
                default_value='true',
                choices=booleans,
                description='Whether to start RViz with config/segment.rviz',
            ),
            DeclareLaunchArgument(
                'foxglove',
                default_value='false',
                choices=booleans,
                description='Whether to start foxglove_bridge, for the layout config/foxglove.json',
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[Node]:
    def argument(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    nodes = []
    if argument('rviz') == 'true' and _is_installed('rviz2'):
        nodes += _rviz(
            argument('namespace'),
            _first(argument('cameras')),
            _first(argument('image_topics')),
            argument('image_topic'),
        )
    if argument('foxglove') == 'true' and _is_installed('foxglove_bridge'):
        nodes.append(
            Node(package='foxglove_bridge', executable='foxglove_bridge', output='screen')
        )
        layout = PathJoinSubstitution(
            [FindPackageShare('mbu_ros'), 'config', 'foxglove.json']
        ).perform(context)
        get_logger('view').info(
            f'In Foxglove, connect to ws://localhost:8765 and import the layout {layout}'
        )
    return nodes


def _rviz(namespace: str, camera: str, camera_topic: str, image_topic: str) -> list[Node]:
    """RViz, with the topics of its configuration remapped, and what makes text of diagnostics."""
    prefix = f'{camera}/' if camera else ''
    image = (camera_topic or f'{camera}/image') if camera else image_topic
    text = 'segmentation/diagnostics_text'
    return [
        Node(
            package='rviz2',
            executable='rviz2',
            # Only for the relative names below: what RViz itself names is absolute.
            namespace=namespace,
            arguments=[
                '-d',
                PathJoinSubstitution([FindPackageShare('mbu_ros'), 'config', 'segment.rviz']),
            ],
            remappings=[
                ('/camera/image_raw', image),
                *(
                    (f'/segmentation/{name}', f'{prefix}segmentation/{name}')
                    for name in ('overlay', 'color', 'mask')
                ),
                (f'/{text}', text),
            ],
            output='screen',
        ),
        Node(
            package='mbu_ros',
            executable='diagnostics_text_node',
            namespace=namespace,
            output='screen',
        ),
    ]


def _first(text: str) -> str:
    return (text.replace(',', ' ').split() or [''])[0]


def _is_installed(package: str) -> bool:
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        get_logger('view').warning(
            f'{package} is not installed, so it is not started; on a robot: '
            f'sudo apt install ros-$ROS_DISTRO-{package.replace("_", "-")}'
        )
        return False
    return True
