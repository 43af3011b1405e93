# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The disk is full while something is written.

Promised: one line that names the file and says why, an exit code, and no half of a file: what was
there before stays, what could not be written is not there.
"""

import json

import cv2
import numpy as np
import pytest

from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

from .full_disk import KINDS, run_there

MBU = ('-m', 'mbu_ros.cli')
WHY = ('No space left', 'File too large', 'disk is full', 'disk I/O error', 'os error')


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / 'small.safetensors'
    save_model(random_model(width=8, depth=1, classes=3, input_size=(24, 32)), path)
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    return path


@pytest.fixture
def tree(tmp_path):
    """A data tree of three labelled frames, for the model of `model_file`."""
    random, root = np.random.default_rng(0), tmp_path / 'tree'
    for folder, low, high, shape in (('images', 0, 256, (96, 128, 3)), ('labels', 0, 3, (96, 128))):
        (root / 'val' / folder).mkdir(parents=True)
        for number in range(3):
            path = root / 'val' / folder / f'{number}.png'
            cv2.imwrite(str(path), random.integers(low, high, shape, np.uint8))
    names = [f'class{number}' for number in range(3)]
    text = json.dumps({'name': 'toy', 'classes': names, 'colors': [[n, n, n] for n in range(3)]})
    (root / 'dataset.json').write_text(text)
    return root


def assert_one_line(outcome, name, code=2):
    assert outcome.code == code, outcome
    (line,) = outcome.errors.strip().splitlines()
    assert line.startswith('mbu: ') and name in line, line
    assert any(why in line for why in WHY), line


@pytest.mark.parametrize('kind', KINDS)
def test_masks_and_overlays(tmp_path, model_file, photo, kind):
    full = tmp_path / 'full'
    outcome = run_there(
        full, kind, 64, *MBU, 'segment', photo, '-o', full / 'out', '--model', model_file
    )
    assert_one_line(outcome, 'photo_overlay.png', code=1)  # other images might still fit
    assert outcome.left == ['out/photo_mask.png']


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_bags(tmp_path, kind, storage):
    full = tmp_path / 'full'
    arguments = ('--scenes', 4, '--size', '160x120', '--storage', storage)
    outcome = run_there(full, kind, 100, *MBU, 'bag', *arguments, '--out', full / 'drive')
    assert_one_line(outcome, 'drive')
    assert outcome.left == []


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('kilobytes', [2, 200])
def test_reports(tmp_path, tree, model_file, kind, kilobytes):
    full = tmp_path / 'full'
    arguments = ('--data', tree, '--model', model_file, '--jobs', 1, '--report', full / 'out')
    outcome = run_there(full, kind, kilobytes, *MBU, 'evaluate', *arguments)
    assert_one_line(outcome, 'out')
    names = [name.rpartition('/')[2] for name in outcome.left]
    assert not any(name.startswith('.') for name in names if not name.endswith('.json')), names


def test_masks_of_an_evaluation(tmp_path, tree, model_file):
    full = tmp_path / 'full'
    arguments = ('--data', tree, '--model', model_file, '--jobs', 1, '--save-masks', full / 'out')
    outcome = run_there(full, 'disk', 4, *MBU, 'evaluate', *arguments)
    assert_one_line(outcome, 'out')
    assert not any(path.rpartition('/')[2].startswith('.') for path in outcome.left)


MODEL = """
import sys
from mbu_ros.errors import InputError
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model
save_model(random_model(width=8, depth=1, input_size=(24, 32)), sys.argv[1])
try:
    save_model(random_model(width=64, depth=3, input_size=(24, 32)), sys.argv[1])
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


@pytest.mark.parametrize('kind', KINDS)
def test_models(tmp_path, kind):
    full = tmp_path / 'full'
    outcome = run_there(full, kind, 64, '-c', MODEL, full / 'one.safetensors')
    assert outcome.code == 2, outcome
    assert 'one.safetensors: cannot be written' in outcome.errors
    assert outcome.left == ['one.safetensors'], 'the one that was there before'


CHECKPOINT = """
import sys, torch
from pathlib import Path
from mbu_ros.errors import InputError
from mbu_ros.training.checkpoint import load_checkpoint, save_checkpoint
path = Path(sys.argv[1])
save_checkpoint(path, {'weights': torch.zeros(8)})
try:
    save_checkpoint(path, {'weights': torch.zeros(100_000)})
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(2 if len(load_checkpoint(path, ['weights'])['weights']) == 8 else 3)
"""


def test_checkpoints(tmp_path):
    pytest.importorskip('torch', reason='PyTorch comes with mbu_ros[train]')
    full = tmp_path / 'full'
    outcome = run_there(full, 'limit', 64, '-c', CHECKPOINT, full / 'one.pt')
    assert outcome.code == 2, outcome
    assert 'one.pt: cannot be written' in outcome.errors and outcome.left == ['one.pt']


SAMPLES = """
import sys
from pathlib import Path
from mbu_ros.errors import InputError
from mbu_ros.soak.samples import COLUMNS, SampleFile
try:
    with SampleFile(Path(sys.argv[1])) as file:
        for number in range(10_000):
            file.add(dict.fromkeys(COLUMNS, number))
except InputError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


@pytest.mark.parametrize('kind', KINDS)
def test_samples_of_a_soak(tmp_path, kind):
    full = tmp_path / 'full'
    outcome = run_there(full, kind, 16, '-c', SAMPLES, full / 'samples.csv')
    assert outcome.code == 2, outcome
    assert 'samples.csv: cannot be written' in outcome.errors
    assert outcome.left == ['samples.csv'], 'what came until then is kept'
