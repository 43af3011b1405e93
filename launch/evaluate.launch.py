# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a bag through segment_node as it runs on the robot, and reports on its masks.

    ros2 launch mbu_ros evaluate.launch.py bag:=PATH report:=DIR

It ends by itself. The exit code is 0 with a report that keeps all thresholds, else 1.
"""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from mbu_ros.bags.bag import Bag
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live import live_run, rosbag2
from mbu_ros.evaluation.live.cameras import LiveCamera, given_labels
from mbu_ros.evaluation.live.endings import note_end
from mbu_ros.evaluation.live.live_run import LiveRun
from mbu_ros.evaluation.report.thresholds import EXIT_CODE, Thresholds

JUDGING_SECONDS = '3600'
"""How long the evaluator may go on after Ctrl-C, to report on what came so far."""


def generate_launch_description() -> LaunchDescription:
    """Node, player and evaluator."""
    shipped = PathJoinSubstitution(
        [FindPackageShare('mbu_ros'), 'config', 'segment.param.yaml']
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='Folder or file of the rosbag2 to play'),
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
                'params_file',
                default_value=shipped,
                description='YAML file of parameters of the node, such as the one of the robot',
            ),
            DeclareLaunchArgument(
                'reliability',
                default_value='reliable',
                choices=['', 'best_effort', 'reliable', 'publisher'],
                description='QoS of the subscription to images; reliable: what is dropped was '
                'dropped by the node; empty: as in params_file',
            ),
            DeclareLaunchArgument(
                'rate',
                default_value='1.0',
                description='Factor on the speed at which the bag was recorded',
            ),
            DeclareLaunchArgument(
                'image_topic',
                default_value='',
                description='Topic of the images; several cameras separated by commas; empty: all '
                'image topics of the bag that are no results',
            ),
            DeclareLaunchArgument(
                'label_topic',
                default_value='',
                description='Topics of their labels (mono8), in the same order, none for a camera '
                'without; empty: those that lie beside the images',
            ),
            DeclareLaunchArgument(
                'cameras',
                default_value='',
                description="The node's names of them, in the same order, such as front,rear; "
                'empty: none for one camera, and for several the namespaces of their topics',
            ),
            DeclareLaunchArgument(
                'label_tolerance',
                default_value='0',
                description="How far a label's stamp may be from its image's, in milliseconds",
            ),
            DeclareLaunchArgument(
                'report',
                default_value='evaluation',
                description='Folder for report.html, report.json and more; empty: none',
            ),
            DeclareLaunchArgument(
                'write_bag',
                default_value='',
                description='A copy of the bag to make, with masks and overlays; empty: none',
            ),
            DeclareLaunchArgument(
                'min_miou', default_value='', description='Least mean IoU, 0 to 1; empty: any'
            ),
            DeclareLaunchArgument(
                'max_p95_ms',
                default_value='',
                description='Greatest 95th percentile of the latency, in milliseconds; empty: any',
            ),
            DeclareLaunchArgument(
                'max_drop',
                default_value='',
                description='Greatest share of dropped frames, 0 to 1; empty: any',
            ),
            DeclareLaunchArgument(
                'player',
                default_value='auto',
                choices=['auto', 'ros2', 'mbu'],
                description='What plays the bag; ros2: ros2 bag play; mbu: player_node of this '
                'package; auto: the first where it is installed and can read the bag',
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[Action]:
    folder = Path(tempfile.mkdtemp(prefix='mbu_ros_evaluate_'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ends = folder / 'ends'
    try:
        run = _read_arguments(context)
        cameras = live_run.find_cameras(run)
        obstacle = _obstacle(run.bag, LaunchConfiguration('player').perform(context))
        for_node = live_run.node_parameters(run, cameras)
        for_evaluator = live_run.evaluator_parameters(
            run,
            cameras,
            ends,
            resume='' if obstacle else rosbag2.RESUME,
            player='player_node' if obstacle else 'ros2 bag play',
        )
    except InputError as error:
        # The launch ends with this text and exit code 1.
        raise RuntimeError(str(error)) from error
    node = _node(
        folder,
        live_run.NODE,
        for_node,
        given=[str(run.params_file)],
        remappings=[camera.remapping for camera in cameras],
    )
    evaluator = _node(folder, 'evaluator', for_evaluator, sigterm_timeout=JUDGING_SECONDS)
    if obstacle:
        player = _node(folder, 'player', live_run.player_parameters(run, cameras))
    else:
        player = _rosbag2_player(folder, run, cameras)

    def note(name: str) -> Callable[[ProcessExited, LaunchContext], None]:
        return lambda event, _: note_end(ends, name, event.returncode)

    return [
        LogInfo(msg=_describe_player(obstacle)),
        RegisterEventHandler(OnProcessExit(target_action=node, on_exit=note('node'))),
        RegisterEventHandler(OnProcessExit(target_action=player, on_exit=note('player'))),
        RegisterEventHandler(OnProcessExit(target_action=evaluator, on_exit=_conclude)),
        node,
        evaluator,
        player,
    ]


def _read_arguments(context: LaunchContext) -> LiveRun:
    def text(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    def path(name: str) -> Path | None:
        return Path(text(name)).expanduser().resolve() if text(name) else None

    def number(name: str) -> float | None:
        try:
            return float(text(name)) if text(name) else None
        except ValueError as error:
            raise InputError(f'{name}:={text(name)} is not a number') from error

    return LiveRun(
        bag=path('bag'),
        model=text('model'),
        report=path('report'),
        engine=text('engine'),
        speed=1.0 if number('rate') is None else number('rate'),
        image_topics=_split(text('image_topic')),
        label_topics=given_labels(_split(text('label_topic'))),
        cameras=_split(text('cameras')),
        label_tolerance_ms=number('label_tolerance') or 0.0,
        params_file=path('params_file'),
        reliability=text('reliability'),
        write_bag=path('write_bag'),
        thresholds=Thresholds(number('min_miou'), number('max_p95_ms'), number('max_drop')),
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.replace(',', ' ').split())


def _obstacle(bag: Path, player: str) -> str:
    """Why our own player plays the bag; '' where `ros2 bag play` does."""
    if player == 'mbu':
        return 'player:=mbu'
    obstacle = rosbag2.find_obstacle(bag, Bag(bag).losses)
    if obstacle and player == 'ros2':
        raise InputError(f'ros2 bag play cannot play {bag}: {obstacle}; take player:=mbu')
    return obstacle


def _describe_player(obstacle: str) -> str:
    if obstacle:
        return f'player_node plays the bag, not ros2 bag play: {obstacle}'
    return 'ros2 bag play plays the bag'


def _node(
    folder: Path,
    name: str,
    parameters: Mapping[str, object],
    given: Sequence[str] = (),
    **options: object,
) -> Node:
    """One of the package's nodes; what is in its file of parameters precedes those given."""
    path = folder / f'{name}.yaml'
    live_run.write_parameters(path, name, parameters)
    return Node(
        package='mbu_ros',
        executable=f'{name}_node',
        name=name,
        namespace='',
        parameters=[*given, str(path)],
        output='screen',
        **options,
    )


def _rosbag2_player(
    folder: Path, run: LiveRun, cameras: Sequence[LiveCamera]
) -> ExecuteProcess:
    topics = [camera.image_topic for camera in cameras]
    overrides = folder / 'qos.yaml'
    rosbag2.write_overrides(overrides, topics)
    return ExecuteProcess(
        cmd=rosbag2.play_command(run.bag, topics, run.speed, overrides),
        name='player',
        output='screen',
    )


def _conclude(event: ProcessExited, context: LaunchContext) -> EmitEvent:
    if event.returncode == EXIT_CODE:
        # What is raised here becomes the exit code of `ros2 launch`, which knows 0 and 1 alone.
        raise RuntimeError('the report missed a threshold')
    if event.returncode:
        raise RuntimeError('the evaluation failed; the evaluator says above why')
    return EmitEvent(event=Shutdown(reason='the evaluation is done'))
