# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys

import pytest

from mbu_ros import __version__
from mbu_ros.cli import COMMANDS, main
from mbu_ros.commands import info
from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(['--help'])
    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_has_help(command, capsys):
    if command in ('train', 'export'):
        pytest.importorskip('torch', reason='PyTorch is not installed')
    with pytest.raises(SystemExit) as exit_info:
        main([command, '--help'])
    assert exit_info.value.code == 0
    assert f'mbu {command}' in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(['--version'])
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize('lowest, read', [(None, 'bits'), (-128, 'sums, from -128 to 127 above')])
def test_info_in_both_forms(tmp_path, capsys, lowest, read):
    path = tmp_path / 'model.safetensors'
    model = random_model(classes=4, seed=1, lowest=lowest)
    save_model(model, path)
    assert main(['info', str(path), '--json']) == 0
    content = json.loads(capsys.readouterr().out)
    assert content['classes'] == ['class0', 'class1', 'class2', 'class3']
    planes = {layer['name']: layer['planes'] for layer in content['layers']}
    assert {name: planes[name] for name in model.plan} == model.plan
    assert content['file_bytes'] == path.stat().st_size
    assert content['head_lowest'] == lowest
    assert main(['info', str(path)]) == 0
    text = capsys.readouterr().out
    assert 'decoder.0.conv2' in text and 'class3' in text
    assert f'the head reads {read}' in text


def test_bad_input_is_one_line_and_exit_code_2(tmp_path):
    (tmp_path / 'bad.safetensors').write_bytes(b'nothing')
    result = subprocess.run(
        [sys.executable, '-m', 'mbu_ros.cli', 'info', str(tmp_path / 'bad.safetensors')],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout == ''
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith('mbu: ') and 'damaged' in result.stderr


@pytest.mark.parametrize(
    'error, code', [(EngineUnavailable('no such GPU'), 2), (EngineError('the GPU is lost'), 1)]
)
def test_an_engine_that_fails_is_one_line(monkeypatch, capsys, error, code):
    def fail(_):
        raise error

    monkeypatch.setattr(info, 'run', fail)
    assert main(['info', 'synthetic']) == code
    assert capsys.readouterr().err == f'mbu: {error}\n'


def test_what_takes_a_while_is_told():
    code = (
        'import logging; from mbu_ros.cli import main; main(["info", "synthetic"]); '
        'logging.getLogger("mbu_ros.engine.cuda.compile").info("compiling %d", 3); '
        'logging.getLogger("other").info("nothing of ours")'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.stderr == 'mbu: compiling 3\n'


@pytest.mark.parametrize('command', [['train', '--scenes', '5'], ['export', 'checkpoint.pt']])
def test_without_torch_training_says_what_to_install(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'torch', None)
    assert main([*command, '--out', str(tmp_path / 'out')]) == 2
    assert 'need PyTorch, which is not installed: pip install' in capsys.readouterr().err


def test_running_a_model_needs_no_torch():
    code = (
        'import sys; sys.modules["torch"] = None; '
        'import mbu_ros.commands.evaluate, mbu_ros.commands.segment, mbu_ros.commands.bag, '
        'mbu_ros.commands.info, mbu_ros.commands.demo; '
        'from mbu_ros.engine.select import create_engine'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
