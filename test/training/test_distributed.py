# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training with two processes, which torchrun starts, over gloo on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training.distributed import Ranks, open_ranks  # noqa: E402
from mbu_ros.training.run import Run  # noqa: E402

HERE = Path(__file__).parent
SECONDS = 180
"""After which two processes that wait for each other are taken to hang."""
needs_distributed = pytest.mark.skipif(
    not torch.distributed.is_available(), reason='PyTorch without distributed'
)


def torchrun(processes, *arguments):
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get('PYTHONPATH', '')])
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    return subprocess.run(
        [*command, '--nproc-per-node', str(processes), *arguments],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@needs_distributed
def test_two_processes_train_one_network(box_tree, tmp_path):
    out = tmp_path / 'run'
    result = torchrun(
        *(2, HERE / 'two_processes.py', tmp_path),
        *('train', '--data', str(box_tree), '--out', str(out), '--device', 'cpu'),
        *('--width', '4', '--depth', '1', '--batch', '6', '--minutes', '0.02'),
        *('--networks', 'float,masked', '--set', 'averaging=0.5', '--set', 'feature_loss=1'),
    )
    assert result.returncode == 0, result.stderr
    first, second = (
        torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)
    )
    assert len(first['weights']) == len(second['weights']) == 2
    for ours, theirs in zip(first['weights'], second['weights']):
        assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert all(torch.equal(*heads) for heads in zip(first['heads'], second['heads']))
    # Equal numbers of steps, on other frames or other views of them, half a batch each.
    assert len(first['batches']) == len(second['batches']) > 2
    assert {size for size, _ in first['batches'] + second['batches']} == {3}
    assert not {digest for _, digest in first['batches']} & {d for _, d in second['batches']}
    run = Run(out)
    assert sum(entry['steps'] for entry in run.results.values()) == len(first['batches'])
    assert all(
        torch.equal(value, first['weights'][1][name])
        for name, value in run.network('masked').state_dict().items()
    )
    # One process speaks.
    assert result.stdout.count('8 frames to train on') == 1
    assert result.stdout.count('with 2 processes') == 1
    assert result.stdout.count('IoU per class') == 1


@needs_distributed
def test_the_start_of_a_run_is_not_taken_for_an_option_of_torchrun(tmp_path):
    result = torchrun(
        *(1, '-m', '--', 'mbu_ros.cli', 'train', '--start', 'synthetic'),
        *('--data', tmp_path / 'missing', '--out', tmp_path / 'run', '--device', 'cpu'),
    )
    assert result.returncode != 0 and 'ambiguous' not in result.stderr
    assert 'missing/dataset.json: cannot be read' in result.stderr


def test_one_process_is_alone(monkeypatch):
    monkeypatch.delenv('TORCHELASTIC_RUN_ID', raising=False)
    with open_ranks('cpu') as ranks:
        assert type(ranks) is Ranks and ranks.first and ranks.count == 1
        assert ranks.agree(1.5, True) == (1.5, True)
        assert ranks.gather('a') == ['a'] and ranks.from_first(lambda: 3) == 3
        assert not ranks.all(False)
