# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts segment_node on one camera topic. `--show-args` lists the arguments."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """The node and its arguments."""
    shipped = PathJoinSubstitution([FindPackageShare('mbu_ros'), 'config', 'segment.param.yaml'])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'image_topic',
                default_value='/camera/image_raw',
                description='Topic of the images to segment (sensor_msgs/Image)',
            ),
            DeclareLaunchArgument(
                'params_file', default_value=shipped, description='YAML file of parameters'
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description='Name of a shipped model, or path of a model file; empty: as in '
                'params_file',
            ),
            DeclareLaunchArgument(
                'engine',
                default_value='',
                choices=['', 'auto', 'reference', 'cuda'],
                description='What runs the model; empty: as in params_file',
            ),
            DeclareLaunchArgument(
                'autostart',
                default_value='',
                choices=['', 'true', 'false'],
                description='Whether the node configures and activates itself; empty: as in '
                'params_file',
            ),
            DeclareLaunchArgument(
                'namespace',
                default_value='',
                description='Namespace of the node and of the topics it publishes',
            ),
            DeclareLaunchArgument(
                'log_level',
                default_value='info',
                choices=['debug', 'info', 'warn', 'error', 'fatal'],
                description='Least severe messages to log',
            ),
            OpaqueFunction(function=_start_node),
        ]
    )


def _start_node(context: LaunchContext) -> list[Node]:
    # Arguments override the file, so those left empty must not become parameters at all.
    overrides = {}
    for name in ('model', 'engine'):
        if text := LaunchConfiguration(name).perform(context):
            # As a string by declaration, or launch would make a number of a model called 123.
            overrides[name] = ParameterValue(text, value_type=str)
    if text := LaunchConfiguration('autostart').perform(context):
        overrides['autostart'] = text == 'true'
    return [
        Node(
            package='mbu_ros',
            executable='segment_node',
            name='segment',
            namespace=LaunchConfiguration('namespace'),
            parameters=[LaunchConfiguration('params_file'), overrides],
            remappings=[('image', LaunchConfiguration('image_topic'))],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            output='screen',
        )
    ]
