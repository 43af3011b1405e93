# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training end to end on the CPU, in seconds, through the command line."""

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.cli import main  # noqa: E402
from mbu_ros.errors import InputError  # noqa: E402
from mbu_ros.model.file import load_model  # noqa: E402
from mbu_ros.training import train  # noqa: E402
from mbu_ros.training.checkpoint import load_checkpoint  # noqa: E402
from mbu_ros.training.datasets import load_tree  # noqa: E402
from mbu_ros.training.recipe import STAGES, Settings  # noqa: E402
from mbu_ros.training.restore import agreement, restore  # noqa: E402

NETWORK = ['--width', '4', '--depth', '1', '--batch', '4', '--device', 'cpu']


@pytest.fixture(scope='module')
def trained(box_tree, tmp_path_factory):
    out = tmp_path_factory.mktemp('run')
    arguments = ['train', '--data', str(box_tree), '--out', str(out), '--minutes', '0.2']
    assert main([*arguments, *NETWORK]) == 0
    return out


def test_the_model_has_learnt_the_boxes(trained, box_tree):
    model = load_model(trained / 'boxes.safetensors')
    assert model.classes.names == ('ground', 'box')
    assert model.input_size == (34, 48)
    assert list(model.training['val_miou']) == [stage.name for stage in STAGES]
    assert model.training['val_miou']['masked binary'] > 0.6
    network, restored = restore(trained / 'checkpoint.pt')
    assert restored.training == model.training
    assert agreement(network, restored, load_tree(box_tree).val) >= 0.999


def test_export_states_the_agreement(trained, box_tree, tmp_path, capsys):
    path = tmp_path / 'exported.safetensors'
    arguments = [str(trained / 'checkpoint.pt'), '-o', str(path), '--name', 'renamed']
    assert main(['export', *arguments, '--data', str(box_tree)]) == 0
    assert load_model(path).name == 'renamed'
    assert 'agree on ' in capsys.readouterr().out


def test_a_run_is_not_overwritten(trained, box_tree, capsys):
    assert main(['train', '--data', str(box_tree), '--out', str(trained), *NETWORK]) == 2
    assert '--resume' in capsys.readouterr().err


class Killed(Exception):
    pass


def trainer(box_tree, out, resume=False, **changes):
    settings = Settings(**{'width': 4, 'depth': 1, 'batch': 4, 'minutes': 0.05, **changes})
    return train.Trainer(load_tree(box_tree), settings, out, device='cpu', resume=resume)


def test_a_killed_run_goes_on_where_it_was_saved(box_tree, tmp_path, monkeypatch):
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 0.0)

    def kill(stage, progress, loss):
        if stage == STAGES[1].name and progress > 0.5:
            raise Killed

    first = trainer(box_tree, tmp_path)
    with pytest.raises(Killed):
        first.run(kill)
    with pytest.raises(InputError, match="still in stage 'binary activations'"):
        restore(tmp_path / 'checkpoint.pt')

    second = trainer(box_tree, tmp_path, resume=True)
    assert second.progress.stage == 1
    assert 0 < second.progress.elapsed <= first.progress.elapsed
    assert second.progress.steps >= first.progress.steps - 1
    stages = []
    second.run(lambda stage, progress, loss: stages.append(stage))
    assert STAGES[0].name not in stages
    assert set(second.progress.miou) == {stage.name for stage in STAGES}
    restore(tmp_path / 'checkpoint.pt')


def test_resuming_another_run_is_refused(trained, box_tree):
    with pytest.raises(InputError, match='settings.*another --out'):
        trainer(box_tree, trained, resume=True, width=8)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(
    box_tree, tmp_path, monkeypatch
):
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 0.0)
    monkeypatch.setattr(train, 'LOSS_EVERY', 1)
    run = trainer(box_tree, tmp_path)
    losses = iter([1.0, 1.0, float('nan')])
    original = train.total_loss
    monkeypatch.setattr(
        train, 'total_loss', lambda *args: original(*args) * next(losses)
    )
    with pytest.raises(InputError, match='diverged.*nan.*last good state'):
        run.run()
    weights = load_checkpoint(tmp_path / 'checkpoint.pt')['network']
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_damaged_checkpoints_are_refused(tmp_path):
    path = tmp_path / 'checkpoint.pt'
    with pytest.raises(InputError, match='no such checkpoint'):
        load_checkpoint(path)
    path.write_bytes(b'PK\x03\x04 not really')
    with pytest.raises(InputError, match='damaged'):
        load_checkpoint(path)
    torch.save({'something': 1}, path)
    with pytest.raises(InputError, match='not a checkpoint of this release'):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ('change', 'text'),
    [({'width': 0}, 'width'), ({'minutes': 0}, 'minutes'), ({'batch': 0}, 'batch')],
)
def test_settings_out_of_range(change, text):
    with pytest.raises(InputError, match=text):
        Settings(**change)
