# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live run does around its processes."""

import json
from pathlib import Path

from mbu_ros.evaluation.live import run as live
from mbu_ros.evaluation.live.live_run import LiveRun
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

from .bags import write_two_cameras


class Processes:
    """Writes a report instead of starting anything."""

    def __init__(self, logs, ends):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def start(self, name, command):
        if name == 'evaluator':
            parameters = json.loads(Path(command[-1]).read_text())['/evaluator']['ros__parameters']
            Path(parameters['json']).write_text('{"miou": 0.5}')

    def wait(self, last, good):
        pass


def test_the_folder_of_the_json_is_made(tmp_path, monkeypatch):
    model = random_model(width=8, classes=5)
    save_model(model, tmp_path / 'model.safetensors')
    monkeypatch.setattr(live, 'Processes', Processes)
    monkeypatch.setattr(live, 'check_run', lambda name: (Path(name), model))
    bag = write_two_cameras(tmp_path / 'bag', 1)
    path = tmp_path / 'new' / 'report.json'
    report = live.run_live(LiveRun(bag, str(tmp_path / 'model.safetensors'), json=path))
    assert json.loads(path.read_text()) == report == {'miou': 0.5}
