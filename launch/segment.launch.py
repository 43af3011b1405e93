# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts segment_node on the topics of one or more cameras. `--show-args` lists the arguments."""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events.process import ProcessExited
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from mbu_ros.node.process_end import ProcessEnd

BOOLEANS = ['true', 'false']
RESPAWN_SECONDS = 0.5


def generate_launch_description() -> LaunchDescription:
    """The node, and what shows its results if asked for."""
    share = FindPackageShare('mbu_ros')
    shipped = PathJoinSubstitution([share, 'config', 'segment.param.yaml'])
    shared = ('namespace', 'cameras', 'image_topic', 'image_topics', 'rviz', 'foxglove')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'image_topic',
                default_value='/camera/image_raw',
                description='Topic of the images to segment (sensor_msgs/Image), where cameras is '
                'empty. Compressed images are looked for beside it, on TOPIC/compressed',
            ),
            DeclareLaunchArgument(
                'cameras',
                default_value='',
                description='Names of several cameras, such as front,rear; each gets topics of its '
                'own, such as front/segmentation/mask. Empty: as in params_file',
            ),
            DeclareLaunchArgument(
                'image_topics',
                default_value='',
                description='Topic of the images of each of cameras, in the same order, such as '
                '/front/image_raw,/rear/image_raw. Empty: front/image, rear/image',
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
                'params_file', default_value=shipped, description='YAML file of parameters'
            ),
            DeclareLaunchArgument(
                'namespace',
                default_value='',
                description='Namespace of the node and of all topics given without a leading /',
            ),
            DeclareLaunchArgument(
                'remappings',
                default_value='',
                description='More names to remap, FROM:=TO separated by spaces or commas, such as '
                '"segmentation/mask:=/mask /diagnostics:=diagnostics"',
            ),
            DeclareLaunchArgument(
                'enclave',
                default_value='',
                description='Security enclave of the node (SROS 2), such as /segment; used where '
                'ROS_SECURITY_ENABLE is true. Empty: the root enclave',
            ),
            DeclareLaunchArgument(
                'log_level',
                default_value='info',
                choices=['debug', 'info', 'warn', 'error', 'fatal'],
                description='Least severe messages to log',
            ),
            DeclareLaunchArgument(
                'autostart',
                default_value='',
                choices=['', *BOOLEANS],
                description='Whether the node configures and activates itself, or waits for a '
                'lifecycle manager; empty: as in params_file',
            ),
            DeclareLaunchArgument(
                'respawn',
                default_value='false',
                choices=BOOLEANS,
                description=f'Whether to start the node again, after {RESPAWN_SECONDS:g} s, '
                'whenever it ends; '
                '/diagnostics says ERROR at once, until it is back',
            ),
            DeclareLaunchArgument(
                'rviz',
                default_value='false',
                choices=BOOLEANS,
                description='Whether to show image, overlay and diagnostics in RViz',
            ),
            DeclareLaunchArgument(
                'foxglove',
                default_value='false',
                choices=BOOLEANS,
                description='Whether to start foxglove_bridge, for the layout config/foxglove.json',
            ),
            OpaqueFunction(function=_start_node),
            IncludeLaunchDescription(
                PathJoinSubstitution([share, 'launch', 'view.launch.py']),
                launch_arguments=[(name, LaunchConfiguration(name)) for name in shared],
            ),
        ]
    )


def _start_node(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    def argument(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    cameras = _split(argument('cameras'))
    # Arguments override the file, so those left empty must not become parameters at all.
    overrides = {}
    for name in ('model', 'engine'):
        if argument(name):
            # As a string by declaration, or launch would make a number of a model called 123.
            overrides[name] = ParameterValue(argument(name), value_type=str)
    if cameras:
        overrides['cameras'] = cameras
    if argument('autostart'):
        overrides['autostart'] = argument('autostart') == 'true'
    enclave = ['--enclave', argument('enclave')] if argument('enclave') else []
    remappings = _remappings(argument('remappings'))
    respawn = argument('respawn') == 'true'
    node = Node(
        package='mbu_ros',
        executable='segment_node',
        name='segment',
        namespace=argument('namespace'),
        parameters=[argument('params_file'), overrides],
        # The first rule that matches a name holds: those given by hand come first.
        remappings=remappings
        + _image_remappings(cameras, argument('image_topic'), _split(argument('image_topics'))),
        ros_arguments=['--log-level', argument('log_level'), *enclave],
        respawn=respawn,
        respawn_delay=RESPAWN_SECONDS,
        output='screen',
    )
    rules = [word for rule in remappings for word in ('--remap', ':='.join(rule))]
    return [
        node,
        *_tell_of_its_end(node, argument('namespace'), [*rules, *enclave], respawn),
    ]


def _tell_of_its_end(
    node: Node, namespace: str, ros_arguments: list[str], respawn: bool
) -> list[LaunchDescriptionEntity]:
    """What says on /diagnostics that the node's process ended, as nobody else can at that time."""
    try:
        teller = ProcessEnd('segment', namespace, ros_arguments)
    except RuntimeError as error:
        get_logger('segment').warning(
            f'an end of the node will not be told on /diagnostics: {error}'
        )
        return []

    def tell(event: ProcessExited, context: LaunchContext) -> None:
        # An end with exit code 0 that nothing follows was asked for.
        if not context.is_shutdown and (respawn or event.returncode):
            teller.tell(event.pid, event.returncode, RESPAWN_SECONDS if respawn else None)

    return [
        RegisterEventHandler(OnProcessExit(target_action=node, on_exit=tell)),
        RegisterEventHandler(OnShutdown(on_shutdown=lambda event, context: teller.close())),
    ]


def _split(text: str) -> list[str]:
    return text.replace(',', ' ').split()


def _remappings(text: str) -> list[tuple]:
    rules = [tuple(rule.split(':=')) for rule in _split(text)]
    for rule in rules:
        if len(rule) != 2 or not all(rule):
            raise RuntimeError(
                f'remappings: {":=".join(rule)!r} is not FROM:=TO; several are separated by '
                'spaces or commas, without spaces around :='
            )
    return rules


def _image_remappings(cameras: list[str], topic: str, topics: list[str]) -> list[tuple]:
    """Rules that lead the node's image topics to those of the cameras."""
    if len(topics) not in (0, len(cameras)):
        raise RuntimeError(
            f'image_topics has {len(topics)} topics, but cameras {len(cameras)} names: give as '
            'many, in the same order; for one camera without a name there is image_topic'
        )
    if not cameras:
        return [('image', topic)]
    return [(f'{camera}/image', topic) for camera, topic in zip(cameras, topics)]
