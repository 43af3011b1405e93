# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu train` and `mbu export` end to end on the CPU, in seconds."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.cli import main  # noqa: E402
from mbu_ros.engine.reference import ReferenceEngine  # noqa: E402
from mbu_ros.model.file import load_model  # noqa: E402
from mbu_ros.training import all_networks, train  # noqa: E402
from mbu_ros.training.datasets import load_tree  # noqa: E402
from mbu_ros.training.networks import NETWORKS  # noqa: E402
from mbu_ros.training.objective import Objective  # noqa: E402
from mbu_ros.training.run import Run  # noqa: E402
from mbu_ros.training.settings import Settings  # noqa: E402

from .pretended_time import PretendedTime  # noqa: E402

SMALL = ['--width', '4', '--depth', '1', '--batch', '4', '--device', 'cpu']


def arguments(root, out, *more):
    return ['train', '--data', str(root), '--out', str(out), *SMALL, *more]


@pytest.fixture
def clock(monkeypatch):
    return PretendedTime(monkeypatch)


@pytest.fixture(scope='module')
def trained(box_tree, tmp_path_factory):
    """A run of all five networks, of 7 minutes by a pretended clock; and what it printed."""
    out = tmp_path_factory.mktemp('run')
    with pytest.MonkeyPatch.context() as patch:
        PretendedTime(patch)
        patch.setenv('COLUMNS', '120')
        changes = ['--set', 'averaging=0.9', '--set', 'mask_threshold=0.6']
        assert main(arguments(box_tree, out, '--minutes', '7', *changes)) == 0
    return out


def test_all_networks_are_there_with_their_results(trained):
    run = Run(trained)
    assert list(run.results) == list(NETWORKS)
    assert not run.checkpoint_path.exists()
    seconds = {name: result['seconds'] for name, result in run.results.items()}
    assert sum(seconds.values()) == pytest.approx(420, abs=8)  # whole steps of a second
    assert seconds['masked'] == seconds['binary']
    assert seconds['masked'] == pytest.approx(seconds['float_longer'], abs=1)
    assert seconds['masked'] == pytest.approx(3.5 * seconds['float'], abs=2)
    for name, result in run.results.items():
        assert result['steps'] == result['seconds']
        assert result['images_per_second'] == 4
        assert result['split'] == 'val' and len(result['iou']) == 2
        assert result['history'][-1]['val_miou'] == result['trained_miou']
        kind = NETWORKS[name]
        assert (result['precision'], result['operation_kind']) == (
            ('quantized', 'binary') if kind.quantized else ('float', 'fp16')
        )
        if kind.quantized:
            assert result['agreement'] >= 0.9995
            assert result['integer_miou'] == result['miou']
            assert abs(result['trained_miou'] - result['miou']) < 1e-3
            assert result['bytes'] == run.model_path(name).stat().st_size
        else:
            assert result['agreement'] is result['integer_miou'] is result['plan'] is None
    results = run.results
    # Weights and folded batch norms (or the head's bias), of 2 bytes each, layer by layer.
    weights = 108 + 144 + 288 + 576 + 128 + 288 + 144 + 8
    assert results['float']['bytes'] == 2 * (weights + 4 + 4 + 8 + 8 + 4 + 4 + 4 + 2)
    assert results['float']['operations'] == results['binary']['operations']
    assert results['chosen']['operations'] <= 1.5 * results['binary']['operations']
    assert results['binary']['operations'] < results['chosen']['operations']
    assert results['chosen']['operations'] < results['masked']['operations']


def test_they_have_learnt_the_boxes(trained):
    mious = {name: result['miou'] for name, result in Run(trained).results.items()}
    # All ground would be 0.4.
    assert min(mious.values()) > 0.5, mious
    assert mious['masked'] > 0.65 and mious['float_longer'] > 0.85, mious


def test_models_are_those_networks(trained):
    run = Run(trained)
    for name in ('masked', 'chosen', 'binary'):
        model, network = load_model(run.model_path(name)), run.network(name)
        assert model.name == f'boxes_{name}' and model.input_size == (34, 48)
        assert model.plan == network.plan == run.results[name]['plan']
        assert model.training['network'] == name
        assert model.training['val_miou'][name] == round(run.results[name]['miou'], 4)
        assert {layer.mask_threshold for layer in network.layers.values()} == {0.6}
    assert run.network('chosen').plan == run.choice['plan']
    assert set(run.choice['gains']) == set(run.choice['costs']) == set(run.choice['plan'])
    assert set(run.network('masked').plan.values()) == {2}
    assert set(run.network('binary').plan.values()) == {1}


def test_what_people_look_at_is_written(trained):
    table = (trained / 'table.md').read_text()
    assert all(f'| {name} |' in table or name.replace('_', '\\_') in table for name in NETWORKS)
    rows = json.loads((trained / 'table.json').read_text())['networks']
    assert [row['network'] for row in rows] == list(NETWORKS)
    assert cv2.imread(str(trained / 'samples.png')) is not None
    pytest.importorskip('matplotlib')
    assert cv2.imread(str(trained / 'curves.png')) is not None


def test_logs_are_written_where_tensorboard_is(trained):
    pytest.importorskip('tensorboard')
    assert {path.name for path in (trained / 'logs').iterdir()} == set(NETWORKS)


def test_a_run_is_not_overwritten(trained, box_tree, capsys):
    before = (trained / 'run.json').read_bytes()
    assert main(arguments(box_tree, trained)) == 2
    assert '--resume' in capsys.readouterr().err
    assert (trained / 'run.json').read_bytes() == before


def test_a_finished_run_that_goes_on_shows_its_table_again(trained, box_tree, capsys):
    before = (trained / 'run.json').read_bytes()
    changes = ['--set', 'averaging=0.9', '--set', 'mask_threshold=0.6', '--minutes', '7']
    assert main(arguments(box_tree, trained, *changes, '--resume')) == 0
    out = capsys.readouterr().out
    assert 'float_longer' in out and 'IoU per class' in out and 'boxes_chosen.safetensors' in out
    assert (trained / 'run.json').read_bytes() == before


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        (['--width', '5'], 'with width 4, not 5'),
        (['--set', 'mask_threshold=0.7'], 'with mask_threshold 0.6, not 0.7'),
        (['--size', '24x34'], 'with input_size'),
    ],
)
def test_a_run_goes_on_as_it_began_or_not_at_all(trained, box_tree, capsys, change, text):
    values = ['--set', 'averaging=0.9', '--set', 'mask_threshold=0.6', '--minutes', '7']
    assert main(arguments(box_tree, trained, *values, '--resume', *change)) == 2
    error = capsys.readouterr().err
    assert text in error and 'another folder' in error


def test_export_states_the_agreement(trained, box_tree, tmp_path, capsys):
    path = tmp_path / 'exported.safetensors'
    options = ['--network', 'binary', '-o', str(path), '--name', 'renamed']
    assert main(['export', str(trained), *options, '--data', str(box_tree)]) == 0
    assert load_model(path).name == 'renamed'
    assert set(load_model(path).plan.values()) == {1}
    assert 'agree on 100.0000% of the pixels of 4 val frames' in capsys.readouterr().out


def test_export_takes_the_chosen_network_and_the_name_of_the_run(trained, capsys):
    assert main(['export', str(trained)]) == 0
    model = load_model(trained / 'boxes.safetensors')
    assert model.plan == Run(trained).choice['plan'] and model.name == 'boxes'
    (trained / 'boxes.safetensors').unlink()


def test_export_of_what_is_not_there(trained, tmp_path, box_tree, capsys):
    for options, text in (
        ([str(trained), '--network', 'float'], "'float' is a float one"),
        ([str(trained), '--network', 'best'], "no network 'best'; choose one of float,"),
        ([str(tmp_path)], 'run.json: cannot be read.*'),
        ([str(trained), '--name', 'a/b'], "'a/b' is no name for a model"),
        ([str(trained), '--data', str(box_tree), '--size', '20x20'], "model's own 48x34"),
    ):
        assert main(['export', *options, '-o', str(tmp_path / 'm.safetensors')]) == 2
        assert text.rstrip('.*') in capsys.readouterr().err
    other = tmp_path / 'copy'
    shutil.copytree(trained, other)
    (other / 'networks' / 'chosen.pt').unlink()
    assert main(['export', str(other)]) == 2
    assert "no finished network 'chosen', only float, float_longer" in capsys.readouterr().err


def test_damaged_files_of_a_run(trained, tmp_path, capsys):
    other = tmp_path / 'copy'
    shutil.copytree(trained, other)
    path = other / 'networks' / 'chosen.pt'
    path.write_bytes(path.read_bytes()[:-2000])
    assert main(['export', str(other)]) == 2
    assert 'chosen.pt: damaged' in capsys.readouterr().err
    torch.save({'version': 1}, path)
    assert main(['export', str(other)]) == 2
    assert 'not a checkpoint of this release' in capsys.readouterr().err
    for text, told in (('{', 'damaged'), ('{}', 'not a run of this release')):
        (other / 'run.json').write_text(text)
        assert main(['export', str(other)]) == 2
        assert told in capsys.readouterr().err


STARTED = ['--networks', 'float,masked', '--minutes']


def test_a_run_goes_on_from_a_deployed_model(trained, box_tree, tmp_path, clock, capsys):
    model = trained / 'boxes_masked.safetensors'
    sizes = ['train', '--data', str(box_tree), '--batch', '4', '--device', 'cpu']
    options = [*sizes, '--out', str(tmp_path), '--start', str(model), *STARTED, '0.2']
    assert main(options) == 0  # its width and depth are the model's
    assert f'masked: goes on from {model}\n' in capsys.readouterr().out
    run, before = Run(tmp_path), Run(trained).results['masked']['miou']
    masked = run.results['masked']
    # In nine steps, after a float network of two: what it knows is the model's.
    assert masked['steps'] <= 10 and masked['miou'] > before - 0.1
    assert {point['stage'] for point in masked['history']} == {'quantized'}
    made = load_model(run.model_path('masked'))
    assert made.training['start'] == str(model) and made.width == 4
    other = trained / 'boxes_binary.safetensors'
    assert main([*options[:-4], '--resume', *STARTED, '0.2', '--start', str(other)]) == 2
    assert 'with start' in capsys.readouterr().err


def test_without_masked_the_chosen_network_goes_on_with_the_plan_of_a_model(
    trained, box_tree, tmp_path, clock, capsys
):
    model = trained / 'boxes_chosen.safetensors'
    options = ['--start', str(model), '--networks', 'float,chosen', '--minutes', '0.2']
    assert main(arguments(box_tree, tmp_path, *options)) == 0
    out = capsys.readouterr().out
    assert f'chosen: goes on from {model}\n' in out and 'measuring' not in out
    run, before = Run(tmp_path), Run(trained)
    assert set(run.results) == {'float', 'chosen'}
    assert run.network('chosen').plan == before.choice['plan'] == run.choice['plan']
    chosen = run.results['chosen']
    assert chosen['steps'] <= 10 and chosen['miou'] > before.results['chosen']['miou'] - 0.1


def test_without_masked_the_chosen_network_goes_on_from_that_of_a_run(
    trained, box_tree, tmp_path, clock, capsys
):
    options = ['--start', str(trained), '--keep', 'float', '--networks', 'float,chosen']
    assert main(arguments(box_tree, tmp_path, *options, '--minutes', '0.1')) == 0
    assert f'chosen: goes on from {trained}\n' in capsys.readouterr().out
    assert Run(tmp_path).choice == Run(trained).choice


PLANNED = ['--networks', 'float,chosen']


def test_with_a_plan_the_chosen_network_goes_to_bits_by_itself(
    trained, box_tree, tmp_path, clock, capsys
):
    model = load_model(trained / 'boxes_chosen.safetensors')
    assert set(model.plan.values()) == {1, 2}
    options = ['train', '--data', str(box_tree), '--batch', '4', '--device', 'cpu']
    options += ['--plan', str(trained / 'boxes_chosen.safetensors'), '--minutes', '0.4', *PLANNED]
    assert main([*options, '--out', str(tmp_path)]) == 0  # its width and depth are the model's
    out, run = capsys.readouterr().out, Run(tmp_path)
    assert 'goes on' not in out and 'measuring' not in out
    assert load_model(run.model_path('chosen')).plan == model.plan
    stages = [point['stage'] for point in run.results['chosen']['history']]
    assert list(dict.fromkeys(stages)) == ['binary activations', 'quantized']
    assert Settings.from_dict(json.loads((tmp_path / 'run.json').read_text())['settings']).plan


@pytest.fixture
def taught(monkeypatch):
    """The teachers of all losses that are made, in order; None where there is none."""
    teachers = []
    original = Objective.__init__

    def watched(self, network, teacher, *args):
        teachers.append(teacher)
        original(self, network, teacher, *args)

    monkeypatch.setattr(Objective, '__init__', watched)
    return teachers


def test_float_networks_of_other_runs_teach_too(
    trained, box_tree, box_tree_with, tmp_path, clock, capsys, taught
):
    out, options = tmp_path / 'run', ['--networks', 'float,binary', '--minutes', '0.4']
    assert main(arguments(box_tree, out, '--teachers', str(trained), *options)) == 0
    assert 'Other teachers: 1.' in capsys.readouterr().out
    assert taught[0] is None  # the run's own float network learns from labels
    (teachers,) = {id(teacher): teacher for teacher in taught[1:]}.values()
    images = torch.randint(-100, 100, (2, 3, 16, 16)).float()
    own, other = Run(out).network('float'), Run(trained).network('float')
    expected = (own(images) + other(images)) / 2
    torch.testing.assert_close(teachers(images), expected)
    logits, features = teachers(images, True)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(features, own(images, True)[1])

    # Without one of its own, theirs alone do; it is no network of this run then.
    out, taught[:] = tmp_path / 'alone', []
    start = ['--start', str(trained / 'boxes_chosen.safetensors'), '--networks', 'chosen']
    options[:2] = start
    assert main(arguments(box_tree, out, '--teachers', str(trained), *options)) == 0
    torch.testing.assert_close(taught[0](images), other(images))
    (result,) = Run(out).results.values()
    table = json.loads((out / 'table.json').read_text())
    rows = {row['network']: row for row in table['networks']}
    assert list(rows) == [f'float of {trained}', 'chosen'] and table['other_teachers'] == 1
    lost = Run(trained).results['float']['miou'] - result['miou']
    assert rows['chosen']['gap'] == pytest.approx(100 * lost)
    assert result['miou'] > Run(trained).results['chosen']['miou'] - 0.1

    # Their features must be of this network's size, where they count; their logits are anyway.
    wide, out = tmp_path / 'wide', tmp_path / 'features'
    small = ['--networks', 'float', '--minutes', '0.05', '--width', '8']
    assert main(arguments(box_tree, wide, *small)) == 0
    compared = [*options, '--set', 'feature_loss=1', '--teachers']
    assert main(arguments(box_tree, out, *compared, str(wide), str(trained))) == 2
    assert re.search('wide, which is of width 8, not 4; set it to 0', capsys.readouterr().err)
    assert not out.exists()
    assert main(arguments(box_tree, out, *compared, str(trained), str(wide))) == 0

    root, out = box_tree_with(classes=['floor', 'crate']), tmp_path / 'other'
    assert main(arguments(root, out, '--teachers', str(trained), *options)) == 2
    assert re.search('a run with classes .*, not .*crate', capsys.readouterr().err)
    assert not out.exists()


def test_deployed_models_teach_too(trained, box_tree, tmp_path, clock, capsys, taught):
    path = str(trained / 'boxes_chosen.safetensors')
    options = ['--start', path, '--networks', 'chosen', '--minutes', '0.2', '--teachers', path]
    assert main(arguments(box_tree, tmp_path / 'alone', *options)) == 0
    table = json.loads((tmp_path / 'alone' / 'table.json').read_text())
    assert [row['network'] for row in table['networks']] == ['chosen']
    assert main(arguments(box_tree, tmp_path / 'both', *options, str(trained))) == 0
    assert 'Other teachers: 2.' in capsys.readouterr().out

    alone, both = taught
    model, float_network = load_model(path), Run(trained).network('float')
    image = load_tree(box_tree).val.images[0]
    centered = torch.from_numpy(image - np.float32(model.mean)).permute(2, 0, 1)[None]
    expected = torch.from_numpy(ReferenceEngine(model).logits(image) * model.head.scale)
    expected = expected.permute(2, 0, 1)[None].float()
    torch.testing.assert_close(alone(centered), expected)
    torch.testing.assert_close(both(centered), (expected + float_network(centered)) / 2)


@pytest.mark.parametrize(
    ('key', 'mixed'), [('mixup', {'binary'}), ('float_mixup', {'float'})]
)
def test_networks_with_and_without_a_teacher_have_frames_blended_of_their_own(
    box_tree, tmp_path, clock, monkeypatch, key, mixed
):
    seen = {'float': set(), 'binary': set()}
    original = Objective.forward

    def watched(self, batch):
        seen['float' if self.teacher is None else 'binary'].add(batch.own is not None)
        return original(self, batch)

    monkeypatch.setattr(Objective, 'forward', watched)
    options = ['--networks', 'float,binary', '--minutes', '0.2', '--set', f'{key}=0.5']
    assert main(arguments(box_tree, tmp_path, *options)) == 0
    assert seen == {name: {name in mixed} for name in seen}


def test_a_model_of_other_classes_gets_a_new_head(
    trained, box_tree_with, tmp_path, clock, capsys
):
    root, out = box_tree_with(classes=['floor', 'crate']), tmp_path / 'run'
    start = ['--start', str(trained / 'boxes_chosen.safetensors')]
    assert main(arguments(root, out, *start, *STARTED, '0.5')) == 0
    assert 'with a new head, since that has other classes' in capsys.readouterr().out
    assert load_model(Run(out).model_path('masked')).classes.names == ('floor', 'crate')


def test_networks_go_on_from_those_of_another_run(trained, box_tree, tmp_path, clock, capsys):
    sizes = ['train', '--data', str(box_tree), '--batch', '4', '--device', 'cpu']
    options = [*sizes, '--out', str(tmp_path), '--start', str(trained), '--minutes', '0.2']
    assert main([*options, '--networks', 'float,masked,chosen']) == 0
    out = capsys.readouterr().out
    before, run = Run(trained).results, Run(tmp_path)
    assert run.choice == Run(trained).choice and 'measuring' not in out
    for name in ('float', 'masked', 'chosen'):
        assert f'{name}: goes on from {trained}\n' in out
        # Nobody learns this in so few steps: what they know is that run's.
        assert run.results[name]['steps'] <= 10
        assert run.results[name]['miou'] > before[name]['miou'] - 0.1
    assert {point['stage'] for point in run.results['masked']['history']} == {'quantized'}


def test_networks_of_another_run_are_kept_as_they_are(trained, box_tree, tmp_path, clock, capsys):
    options = ['--start', str(trained), '--networks', 'float,masked,chosen']
    kept, last = tmp_path / 'kept', tmp_path / 'last'
    keep = [*options, '--keep', 'float, masked', '--minutes', '0.2']
    assert main(arguments(box_tree, kept, *keep)) == 0
    out = capsys.readouterr().out
    assert f'float: taken over from {trained}\n' in out
    assert f'chosen: goes on from {trained}\n' in out
    before, run = Run(trained), Run(kept)
    for name in ('float', 'masked'):
        assert weights(run, name) == weights(before, name)
        assert run.results[name]['miou'] == before.results[name]['miou']
        assert run.results[name]['steps'] == before.results[name]['steps']
    assert weights(run, 'chosen') != weights(before, 'chosen')
    assert clock.steps == run.results['chosen']['steps'] == 12  # all of the time is its
    assert load_model(run.model_path('masked')).width == 4

    # A better teacher of one run and a student of another come together so.
    better = ['--start', str(kept), *options[2:], '--keep', 'masked,chosen', '--minutes', '0.1']
    assert main(arguments(box_tree, last, *better)) == 0
    run, before = Run(last), Run(kept)
    assert run.choice == before.choice and run.choice is not None
    assert weights(run, 'chosen') == weights(before, 'chosen')
    assert weights(run, 'float') != weights(before, 'float')
    assert main(arguments(box_tree, last, *better, '--resume')) == 0
    assert main(arguments(box_tree, last, *better, '--keep', 'masked', '--resume')) == 2
    assert "with keep ['masked', 'chosen'], not" in capsys.readouterr().err


def weights(run, name):
    return [value.tolist() for value in run.network(name).state_dict().values()]


def test_networks_of_other_data_are_not_kept(trained, box_tree_with, tmp_path, capsys):
    root, out = box_tree_with(classes=['floor', 'crate']), tmp_path / 'run'
    options = ['--start', str(trained), '--keep', 'float', '--networks', 'float,masked']
    assert main(arguments(root, out, *options)) == 2
    assert re.search('a run with classes .*, not .*crate', capsys.readouterr().err)
    assert not out.exists()


def test_a_run_of_other_classes_gives_all_but_the_head(
    trained, box_tree_with, tmp_path, clock, capsys
):
    names, colors = ['floor', 'crate', 'other'], [[0] * 3, [255] * 3, [9] * 3]
    root, out = box_tree_with(classes=names, colors=colors), tmp_path / 'run'
    rate = ['--learning-rate', '1e-8']  # so that what went over is still there
    assert main(arguments(root, out, '--start', str(trained), *rate, *STARTED, '0.2')) == 0
    assert capsys.readouterr().out.count('with a new head') == 2
    old, new = Run(trained).network('float'), Run(out).network('float')
    assert new.head.conv.weight.shape[0] == 3
    for shape in old.shapes[:-1]:
        torch.testing.assert_close(
            new.layer(shape.name).weight, old.layer(shape.name).weight, atol=1e-4, rtol=0
        )


def test_a_start_that_cannot_be(trained, box_tree, tmp_path, capsys):
    unfinished = tmp_path / 'unfinished'
    unfinished.mkdir()
    shutil.copy(trained / 'run.json', unfinished)
    model = str(trained / 'boxes_masked.safetensors')
    taught = ['--start', model, '--networks', 'chosen']
    lacking = str(tmp_path / 'lacking')
    shutil.copytree(trained, lacking)
    Path(lacking, 'networks', 'chosen.pt').unlink()
    for options, text in (
        (['--start', 'nothing'], "no model 'nothing'"),
        (['--start', str(trained / 'run.json')], 'run.json'),
        (['--start', model, '--width', '8'], 'of width 4, so .* cannot be of 8; leave out --width'),
        (['--start', model, '--networks', 'float'], "only the networks 'masked' and 'chosen' go"),
        (['--start', str(trained), '--width', '8'], 'of width 4, so .* cannot be of 8'),
        (['--start', str(unfinished)], 'no finished network .* float, masked, chosen'),
        (['--keep', 'float'], "nothing to take 'float' over from; .* --start"),
        (['--networks', 'float,chosen'], "'chosen' needs 'masked'"),
        (['--plan', 'nothing', *PLANNED], "no model 'nothing'"),
        (['--plan', model, '--width', '8', *PLANNED], 'of width 4, so .* cannot be of 8'),
        (['--plan', model, '--networks', 'float,masked'], "only .* 'chosen' takes a --plan"),
        (['--start', model, '--plan', model, *PLANNED], 'goes on from .*; leave out --plan'),
        (['--start', str(trained), '--plan', model, *PLANNED], 'goes on .*; leave out --plan'),
        (['--teachers', str(trained), '--networks', 'float'], 'no network to teach among float'),
        (['--teachers', str(trained), '--networks', 'binary'], "'binary' needs 'float'"),
        (['--teachers', str(tmp_path / 'none')], "no model '.*none': neither a file nor"),
        (['--teachers', '~nobody-there/run'], "no model '~nobody-there/run': neither a file nor"),
        (['--teachers', 'synthetic'], 'synthetic is a model of the classes .*, not ground, box'),
        (
            [*taught, '--teachers', model, str(trained), '--set', 'feature_loss=1'],
            'which is a model and has bits instead; set it to 0, or name the folder of a run first',
        ),
        (['--teachers', str(trained), str(unfinished)], "no finished network 'float' to teach"),
        (['--start', lacking, '--networks', 'float,chosen'], "no .* 'chosen' .* needs 'masked'"),
        (['--start', model, '--keep', 'float'], "no finished network 'float' to take over"),
        (['--start', str(unfinished), '--keep', 'masked'], "no finished network 'masked' to take"),
        (
            ['--start', str(trained), '--networks', 'float', '--keep', 'masked'],
            "'masked' is to be kept, but is not among float; name it",
        ),
        (
            ['--start', str(trained), '--networks', 'float', '--keep', 'float'],
            'none is left to train',
        ),
    ):
        assert main(arguments(box_tree, tmp_path / 'run', *options)) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1 and re.search(text, error), error
    assert not (tmp_path / 'run').exists()


FEW = ['--minutes', '1', '--networks', 'float,binary']


def test_a_run_killed_in_evaluation_does_not_train_again(
    box_tree, tmp_path, monkeypatch, clock, capsys
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(all_networks, 'evaluate_network', killed)
        assert main(arguments(box_tree, tmp_path, *FEW)) == 130
    assert 'go on with --resume' in capsys.readouterr().err
    steps = clock.steps
    written = (tmp_path / 'networks' / 'float.pt').stat().st_mtime_ns
    assert main(arguments(box_tree, tmp_path, *FEW, '--resume')) == 0
    run = Run(tmp_path)
    assert list(run.results) == ['float', 'binary']
    assert (tmp_path / 'networks' / 'float.pt').stat().st_mtime_ns == written
    assert run.results['float']['steps'] == steps
    assert clock.steps - steps == run.results['binary']['steps']


def test_a_damaged_checkpoint_is_refused(box_tree, tmp_path, monkeypatch, clock, capsys):
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 5.0)
    original = Run.save_checkpoint

    def killed(self, name, state):
        original(self, name, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, 'save_checkpoint', killed)
    assert main(arguments(box_tree, tmp_path, *FEW)) == 130
    capsys.readouterr()
    progress = json.loads((tmp_path / 'run.json').read_text())['progress']
    assert progress == {'network': 'float', 'stage': 0, 'steps': 5, 'seconds': 5.0}
    path = tmp_path / 'checkpoint.pt'
    path.write_bytes(path.read_bytes()[:-3000])
    assert main(arguments(box_tree, tmp_path, *FEW, '--resume')) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and 'checkpoint.pt: damaged' in error


def test_a_loss_that_is_no_number(box_tree, tmp_path, monkeypatch, clock, capsys):
    """In the second network, once it has a checkpoint."""
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 5.0)
    original = Objective.forward

    def forward(self, batch):
        factor = float('nan') if self.teacher is not None and clock.steps > 30 else 1.0
        return original(self, batch) * factor

    monkeypatch.setattr(Objective, 'forward', forward)
    assert main(arguments(box_tree, tmp_path, *FEW)) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    for text in (
        *('binary: training diverged', 'loss of nan', 'keeps float, the last good state of binary'),
        *('--resume', 'lower --learning-rate'),
    ):
        assert text in error
    run = Run(tmp_path)
    state = run.checkpoint('binary')
    assert all(torch.isfinite(value).all() for value in state['network'].values())
    assert list(run.results) == ['float']


def test_a_class_that_never_occurs_is_told_and_the_others_are_learnt(
    box_tree, tmp_path, monkeypatch, clock, capsys
):
    root = tmp_path / 'tree'
    shutil.copytree(box_tree, root)
    content = json.loads((root / 'dataset.json').read_text())
    content['classes'].append('bird')
    content['colors'].append([0, 0, 255])
    (root / 'dataset.json').write_text(json.dumps(content))
    out = tmp_path / 'run'
    assert main(arguments(root, out, '--minutes', '1', '--networks', 'float')) == 0
    assert "the class 'bird' never occurs in the train split" in capsys.readouterr().out
    result = Run(out).results['float']
    assert np.isfinite([point['loss'] for point in result['history']]).all()
    assert result['iou'][2] in (None, 0.0)


def test_the_weighting_of_classes_reaches_the_loss(box_tree, tmp_path, clock):
    losses = []
    short = ['--minutes', '0.2', '--networks', 'float']
    for index, power in enumerate(('', '0.25', '0')):
        out = tmp_path / str(index)
        values = ['--set', f'class_weighting={power}'] if power else []
        assert main(arguments(box_tree, out, *short, *values)) == 0
        losses.append([point['loss'] for point in Run(out).results['float']['history']])
    assert losses[0] == losses[1] != losses[2]


def test_the_test_split_is_evaluated_where_asked_for(box_tree, tmp_path, clock, capsys):
    root, out = tmp_path / 'tree', tmp_path / 'run'
    shutil.copytree(box_tree, root)
    (root / 'val').rename(root / 'test')
    few = ['--minutes', '0.2', '--networks', 'float']
    assert main(arguments(root, out, *few)) == 2
    assert 'val/images: no such folder' in capsys.readouterr().err
    assert main(arguments(root, out, *few, '--eval-split', 'test')) == 0
    result = Run(out).results['float']
    assert result['split'] == 'test'
    assert all(point['val_miou'] is None for point in result['history'])
    assert 'test split' in (out / 'table.md').read_text()
    capsys.readouterr()
    selecting = ['--eval-split', 'test', '--set', 'select_best=true']
    assert main(arguments(root, tmp_path / 'other', *few, *selecting)) == 2
    assert 'select_best is by mIoU on the val split, and there is none' in capsys.readouterr().err


def test_looks_are_at_val_where_the_test_split_is_evaluated(box_tree, tmp_path, clock):
    """A test split without one right label: what a network is chosen by is not it."""
    root, out = tmp_path / 'tree', tmp_path / 'run'
    shutil.copytree(box_tree, root)
    shutil.copytree(root / 'val', root / 'test')
    for path in (root / 'test' / 'labels').iterdir():
        label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(label == 255, 255, 1 - label).astype(np.uint8))
    options = ['--minutes', '2', '--networks', 'float', '--set', 'select_best=true']
    assert main(arguments(root, out, *options, '--eval-split', 'test')) == 0
    result = Run(out).results['float']
    looks = {p['step']: p['val_miou'] for p in result['history'] if p['val_miou'] is not None}
    assert result['selected_step'] == max(looks, key=looks.get)
    assert result['miou'] < 0.4 < 0.6 < looks[result['selected_step']]
    assert result['steps'] in looks  # the curve has its end
    text = (out / 'table.md').read_text()
    assert f'after {result["selected_step"]} of {result["steps"]} steps' in text
    for_test = ['--minutes', '0.5', '--networks', 'float', '--eval-split', 'test']
    assert main(arguments(root, tmp_path / 'other', *for_test)) == 0
    result = Run(tmp_path / 'other').results['float']
    assert result['miou'] < 0.4 < 0.6 < result['history'][-1]['val_miou']


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (['--recipe', 'best'], "no recipe 'best'; choose one of: standard,"),
        (['--set', 'speed=9'], "'speed=9' is no setting of a recipe.*averaging"),
        (['--set', 'zoom_min=0'], 'zoom_min is 0.0; it must be 0.1 to 10'),
        (['--batch', 'many'], "batch is 'many'; it must be a whole number from 1 to 4096"),
        (['--learning-rate', '0'], 'learning_rate is 0.0'),
        (['--networks', 'masked'], "'masked' needs 'float'; name it in --networks too"),
        (['--networks', 'float,huge'], "no network 'huge'"),
        (['--budget', '3'], 'budget is 3.0; it must be 1 to 2'),
        (['--minutes', 'nan'], 'minutes is nan'),
        (['--name', 'a/b'], "'a/b' is no name for a model"),
        (['--name', '..'], "'..' is no name for a model"),
        (['--size', '2x2', '--batch', '1'], 'batch norm can learn nothing'),
        (['--set', 'mixup=0.1', '--batch', '1'], 'mixup puts frames of a batch together, but each'),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_starts(
    box_tree, tmp_path, capsys, options, text
):
    out = tmp_path / 'run'
    assert main(arguments(box_tree, out, *options)) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and re.search(text, error)
    assert not out.exists()


def test_folders_that_cannot_be_used(box_tree, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert main(arguments(box_tree, tmp_path / 'file' / 'out')) == 2
    assert 'cannot be written' in capsys.readouterr().err
    (tmp_path / 'networks').mkdir()
    assert main(arguments(box_tree, tmp_path)) == 2
    assert "has 'networks' but no run.json" in capsys.readouterr().err
