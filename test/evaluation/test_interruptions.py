# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate` killed or interrupted in the middle: what it leaves, and how it goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mbu_ros.cli import main
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

PATIENCE = 60.0
"""Seconds until a test gives up waiting: far more than anything here takes."""


@pytest.fixture
def slow_model_file(tmp_path):
    """A model that takes a while, so that there is a middle to interrupt."""
    model = random_model(width=8, depth=3, classes=3, input_size=(96, 128))
    save_model(model, tmp_path / 'slow.safetensors')
    return tmp_path / 'slow.safetensors'


@pytest.fixture
def command(slow_model_file, write_tree, tmp_path):
    """Arguments of an evaluation of five parts, without its report."""
    data = write_tree(tmp_path / 'data', 5 * 16)
    return [
        *('evaluate', '--model', str(slow_model_file), '--engine', 'reference'),
        *('--data', str(data), '--jobs', '2', '--boundary', '2'),
    ]


def start(command, report):
    """Start an evaluation in a process group of its own, and wait for the first part's result."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'mbu_ros.cli', *command, '--report', str(report)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores it, and whatever is started from there inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: results(report) or process.poll() is not None)
    assert process.poll() is None
    return process


def results(report):
    return list((report / '.parts').glob('0*.json'))


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(0.002)


def nobody_left(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def figures(report):
    """Everything that must not depend on interruptions."""
    made = json.loads((report / 'report.json').read_text())
    times = ('created', 'configuration', 'latency_ms', 'stages_ms', 'notes')
    return {key: value for key, value in made.items() if key not in times}


def frames(report):
    lines = (report / 'frames.csv').read_text().splitlines()
    return [line.rsplit(',', 1)[0] for line in lines]  # the latency comes last


def test_a_run_that_was_killed_goes_on(command, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    process = start(command, killed)
    process.kill()
    process.communicate()
    wait_for(lambda: nobody_left(process.pid))  # no worker outlives it
    done = {path.name: path.stat().st_mtime_ns for path in results(killed)}
    assert 0 < len(done) < 5
    npz = {name: (killed / '.parts' / name).with_suffix('.npz').read_bytes() for name in done}

    kept = {}
    from mbu_ros.evaluation.parts_folder import PartsFolder

    remove = PartsFolder.remove

    def look_first(self):
        kept.update({
            name: (self.path / name).with_suffix('.npz').read_bytes() for name in done
        })
        remove(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartsFolder, 'remove', look_first)
        assert main([*command, '--report', str(killed), '--resume']) == 0
    assert kept == npz  # what was done was not done again
    assert main([*command, '--report', str(whole)]) == 0
    assert figures(killed) == figures(whole) and frames(killed) == frames(whole)
    assert figures(whole)['frames_out'] == 5 * 16
    pictures = ('overlays.png', 'animation.webp')
    written = [name for name in pictures if (whole / name).exists()]
    assert 'overlays.png' in written
    for name in written:
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert not (killed / '.parts').exists()


@pytest.mark.parametrize('whom', ['everybody', 'the parent'])
def test_ctrl_c_leaves_no_process_and_no_traceback(command, tmp_path, whom):
    report = tmp_path / 'report'
    process = start(command, report)
    if whom == 'everybody':  # as a terminal does
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    wait_for(lambda: nobody_left(process.pid))
    assert said.splitlines() == [
        'mbu: the same command with --resume goes on from here', 'mbu: interrupted'
    ]
    assert results(report) and not (report / 'report.json').exists()
