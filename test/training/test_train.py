# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training end to end on the CPU, in seconds, through the command line."""

import dataclasses
import itertools
from types import SimpleNamespace

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
    arguments = ['train', '--data', str(box_tree), '--out', str(out), '--minutes', '1']
    # A clock by which each step takes 0.3 s: 200 steps on any machine, however busy.
    ticks = itertools.count(0, 0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, 'time', SimpleNamespace(monotonic=lambda: next(ticks)))
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


class Clock:
    """Time by which each training step takes a second, whatever the machine does."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(train, 'time', clock)
    monkeypatch.setattr(train, 'SETTLE_STEPS', 3)
    return clock


def trainer(box_tree, out, resume=False, data=None, **changes):
    settings = Settings(**{'width': 4, 'depth': 1, 'batch': 4, 'minutes': 1, **changes})
    data = data or load_tree(box_tree)
    return train.Trainer(data, settings, out, device='cpu', resume=resume)


def run(trainer, clock, kill_at=None):
    """Train, a second a step; raise Killed after step `kill_at`."""
    original = trainer._batch

    def batch():
        clock.now += 1.0
        return original()

    trainer._batch = batch

    def report(stage, progress, loss):
        if trainer.progress.steps == kill_at:
            raise Killed

    trainer.run(report)


@pytest.fixture
def whole(box_tree, tmp_path, clock):
    """A run that nothing interrupted."""
    whole = trainer(box_tree, tmp_path / 'whole')
    run(whole, clock)
    return whole


@pytest.mark.parametrize('kill_at', [5, 20, 40])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    box_tree, tmp_path, monkeypatch, clock, whole, kill_at
):
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 3.0)
    out = tmp_path / 'killed'
    with pytest.raises(Killed):
        run(trainer(box_tree, out), clock, kill_at)
    with pytest.raises(InputError, match='its run is still in stage'):
        restore(out / 'checkpoint.pt')
    resumed = trainer(box_tree, out, resume=True)
    assert 0 < kill_at - resumed.progress.steps <= 3 + train.SETTLE_STEPS
    run(resumed, clock)
    assert resumed.progress.miou == whole.progress.miou
    expected = whole.network.state_dict()
    for name, value in resumed.network.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_resuming_another_run_is_refused(trained, box_tree):
    with pytest.raises(InputError, match='settings.*another --out'):
        trainer(box_tree, trained, resume=True, width=8)
    other = dataclasses.replace(load_tree(box_tree), name='other')
    with pytest.raises(InputError, match='data boxes, not other'):
        trainer(box_tree, trained, resume=True, data=other)


@pytest.mark.parametrize('step', [7, 12, 13])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_a_good_checkpoint(
    box_tree, tmp_path, monkeypatch, clock, step
):
    """The first stage has 13 steps: in it, and at its last step."""
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 4.0)
    calls = itertools.count(1)
    original = train.total_loss
    monkeypatch.setattr(
        train,
        'total_loss',
        lambda *args: original(*args) * (float('nan') if next(calls) == step else 1.0),
    )
    with pytest.raises(InputError, match="diverged in stage 'teacher'.*last good state"):
        run(trainer(box_tree, tmp_path), clock)
    content = load_checkpoint(tmp_path / 'checkpoint.pt')
    assert content['progress']['steps'] < step
    assert all(torch.isfinite(value).all() for value in content['network'].values())


def test_what_cannot_be_trained_is_refused_before_it_starts(box_tree, tmp_path):
    with pytest.raises(InputError, match='batch norm can learn nothing'):
        trainer(box_tree, tmp_path, data=load_tree(box_tree, (2, 2)), batch=1)
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written'):
        trainer(box_tree, tmp_path / 'file' / 'out')


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
