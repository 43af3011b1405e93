# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the whole path over real DDS: node, player and evaluator as processes of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.bags.format import COMPRESSED_IMAGE, raw_topic
from mbu_ros.bags.reader import BagReader
from mbu_ros.errors import InputError
from mbu_ros.evaluation.evaluate import check_classes
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import Model
from mbu_ros.model.file import load_model

LOG_FOLDER = 'logs'
LOG_LINES = 15
"""How much of its log an error shows of a process that failed."""
ACK_TIMEOUT = 60.0
"""Seconds until a mask is given up in mode acknowledged: large models are slow without a GPU."""
STOP_SECONDS = 5.0
"""How long a process may take to end when asked to."""


class LiveRunError(RuntimeError):
    """A process of the run failed; the text has the end of its log."""


@dataclass(frozen=True)
class LiveRun:
    """What to run.

    Attributes:
        bag: path of the bag to play.
        model: name of a shipped model, or a model file.
        report: folder for report, pictures and logs; made where missing.
        engine: as for the node.
        mode: as for the player: 'recorded', 'fixed' (with `rate_hz`) or 'acknowledged'.
        rate_hz: images per second in mode 'fixed'.
        image_topic, label_topic: which to use of the bag, where it has several.
        save_masks: folder for every mask as PNG, named after its stamp.
        source: what the bag holds, for the report; its name where empty.
    """

    bag: Path
    model: str
    report: Path
    engine: str = 'auto'
    mode: str = 'recorded'
    rate_hz: float = 10.0
    image_topic: str | None = None
    label_topic: str | None = None
    save_masks: Path | None = None
    source: str = ''


def check_run(model: str) -> tuple[Path, Model]:
    """The model and its file; InputError where it is unusable, or where no ROS node can run."""
    if importlib.util.find_spec('rclpy') is None:
        raise InputError(
            "rclpy is not installed, so no ROS node can run: pip install '.[ros]' in this "
            "package's source folder, or source a ROS 2 installation first"
        )
    path = find_model(model)
    return path, load_model(path)


def run_live(run: LiveRun) -> dict:
    """Play a bag through the node, evaluate its masks, and return the report.

    Everything that was started is stopped again, however this ends.

    Raises:
        InputError: ROS 2 is missing, or bag or model cannot be used, alone or together.
        LiveRunError: a process failed.
    """
    model_file, model = check_run(run.model)
    reader = BagReader(run.bag, run.image_topic, run.label_topic)
    check_classes(reader.classes, model.classes)
    report = run.report / 'report.json'
    logs = run.report / LOG_FOLDER
    try:
        logs.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f'{run.report}: no folder to write to: {error.strerror}') from error
    processes: dict[str, subprocess.Popen] = {}
    environment = _environment()
    try:
        for name, arguments in _commands(run, reader, model_file).items():
            with open(logs / f'{name}.log', 'wb') as log:
                processes[name] = subprocess.Popen(
                    [sys.executable, '-m', *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
        _wait(processes, logs)
    finally:
        _stop(processes)
    return json.loads(report.read_text(encoding='utf-8'))


def _commands(run: LiveRun, reader: BagReader, model: Path) -> dict[str, list[str]]:
    """Module and arguments of each process."""
    decompress = reader.image_kind == COMPRESSED_IMAGE
    camera = raw_topic(reader.image_topic) if decompress else reader.image_topic
    node = {
        'model': str(model),
        'engine': run.engine,
        # Nothing may get lost on the way, so that what is dropped was dropped by the node.
        'reliability': 'reliable',
    }
    player = {
        'bag': str(run.bag),
        'mode': run.mode,
        'rate_hz': float(run.rate_hz),
        # A bag may also hold masks and diagnostics of a node that ran when it was recorded.
        'topics': ','.join(filter(None, (reader.image_topic, reader.label_topic))),
        'image_topic': reader.image_topic,
        'decompress': decompress,
        'ack_timeout': ACK_TIMEOUT,
        'wait_subscribers': 2,  # node and evaluator
    }
    evaluator = {
        'model': str(model),
        'image_topic': camera,
        'label_topic': reader.label_topic or '',
        'source': run.source or run.bag.resolve().name,
        'report': str(run.report),
        'save_masks': str(run.save_masks or ''),
    }
    return {
        'node': [
            'mbu_ros.node.segment_node',
            *_ros_arguments(node),
            '-r',
            f'image:={camera}',
        ],
        'evaluator': ['mbu_ros.evaluation.live.evaluator_node', *_ros_arguments(evaluator)],
        'player': ['mbu_ros.evaluation.live.player_node', *_ros_arguments(player)],
    }


def _ros_arguments(parameters: Mapping[str, object]) -> list[str]:
    # ROS reads values as YAML, where JSON's quotes keep a path a path, whatever it is.
    pairs = (
        f'{name}:={json.dumps(value, ensure_ascii=False)}' for name, value in parameters.items()
    )
    return ['--ros-args', *(part for pair in pairs for part in ('-p', pair))]


def _environment() -> dict[str, str]:
    """Ours, with ROS kept to this machine and to a domain of its own.

    In the user's own domain, a robot or another such run would mix with this one.
    """
    return dict(
        os.environ,
        PYTHONUNBUFFERED='1',
        ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST',
        ROS_DOMAIN_ID=str(_unused_domain()),
    )


def _unused_domain() -> int:
    """A domain in which no DDS participant of this machine answers."""
    # Above 101, DDS's ports run into those that Linux gives to anybody.
    for domain in random.sample(range(1, 102), 101):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                # The discovery port of a domain's first participant (DDSI-RTPS 9.6.1.1).
                probe.bind(('', 7400 + 250 * domain + 10))
            except OSError:
                continue
        return domain
    raise LiveRunError('every ROS domain from 1 to 101 is in use; set ROS_DOMAIN_ID yourself')


def _wait(processes: Mapping[str, subprocess.Popen], logs: Path) -> None:
    """Wait for the evaluator; LiveRunError if it fails or another process ends before its time."""
    while True:
        time.sleep(0.1)
        codes = {name: process.poll() for name, process in processes.items()}
        # The player may be done before the evaluator is, the node may not.
        failed = [
            name for name, code in codes.items() if code or (name == 'node' and code is not None)
        ]
        if failed:
            # One that fails takes others with it: they write down why before they are stopped.
            raise LiveRunError('\n'.join(_explain(name, codes[name], logs) for name in failed))
        if codes['evaluator'] == 0:
            return


def _explain(name: str, code: int, logs: Path) -> str:
    path = logs / f'{name}.log'
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines()[-LOG_LINES:]
    ended = f'was ended by signal {-code}' if code < 0 else f'ended with exit code {code}'
    shown = '\n'.join(f'    {line}' for line in lines) or '    (nothing)'
    return f'the {name} {ended}; the end of {path}:\n{shown}'


def _stop(processes: Mapping[str, subprocess.Popen]) -> None:
    running = [process for process in processes.values() if process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
