# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the whole path over real DDS without ROS 2's launch: node, player and evaluator."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mbu_ros.bench.ros_machine import require_rclpy
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.cameras import LiveCamera
from mbu_ros.evaluation.live.live_run import (
    NODE,
    LiveRun,
    evaluator_parameters,
    find_cameras,
    node_parameters,
    player_parameters,
    write_parameters,
)
from mbu_ros.evaluation.live.processes import Processes
from mbu_ros.evaluation.plan import plan_bags
from mbu_ros.evaluation.report.report import write_json
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import Model
from mbu_ros.model.file import load_model

LOG_FOLDER = 'logs'
GOOD = (0, 3)
"""Exit codes of an evaluator that wrote a report."""


def check_run(model: str) -> tuple[Path, Model]:
    """The model and its file; InputError where it is unusable, or where no ROS node can run."""
    require_rclpy()
    path = find_model(model)
    return path, load_model(path)


def run_live(run: LiveRun) -> dict[str, Any]:
    """Play a bag through the node, evaluate its masks, and return the report.

    Everything that was started is stopped again, however this ends.

    Raises:
        InputError: ROS 2 is missing, or bag or model cannot be used, alone or together.
        LiveRunError: a process failed.
    """
    _, model = check_run(run.model)
    cameras = find_cameras(run)
    plan_bags(
        [run.bag],
        model.classes,
        image_topics=[camera.image_topic for camera in cameras],
        label_topics=[camera.label_topic for camera in cameras],
    )
    with tempfile.TemporaryDirectory(prefix='mbu_ros_live_') as folder:
        report = Path(folder) / 'report.json'
        logs = Path(folder) if run.report is None else run.report / LOG_FOLDER
        try:
            logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f'{run.report}: no folder to write to: {error.strerror}') from error
        ends = Path(folder) / 'ends'
        with Processes(logs, ends) as processes:
            for name, command in _commands(run, cameras, Path(folder), ends, report).items():
                processes.start(name, command)
            processes.wait('evaluator', GOOD)
        content: dict[str, Any] = json.loads(report.read_text(encoding='utf-8'))
        if run.json is not None:
            write_json(run.json, content)
        return content


def _commands(
    run: LiveRun, cameras: Sequence[LiveCamera], folder: Path, ends: Path, report: Path
) -> dict[str, list[str]]:
    """Module and arguments of each process; files of parameters are written into the folder."""
    given = () if run.params_file is None else ('--params-file', str(run.params_file))
    remappings = [part for camera in cameras for part in ('-r', ':='.join(camera.remapping))]
    node = _parameters(folder, NODE, node_parameters(run, cameras))
    judging = evaluator_parameters(run, cameras, ends, player='player_node')
    evaluator = _parameters(folder, 'evaluator', {**judging, 'json': str(report)})
    player = _parameters(folder, 'player', player_parameters(run, cameras))
    live = 'mbu_ros.evaluation.live'
    return {
        'node': ['mbu_ros.node.segment_node', '--ros-args', *given, *node, *remappings],
        'evaluator': [f'{live}.evaluator_node', '--ros-args', *evaluator],
        'player': [f'{live}.player_node', '--ros-args', *player],
    }


def _parameters(folder: Path, node: str, parameters: Mapping[str, object]) -> list[str]:
    path = folder / f'{node}.yaml'
    write_parameters(path, node, parameters)
    return ['--params-file', str(path)]
