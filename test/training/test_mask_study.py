# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The masking study of a small run on the CPU, through the command line."""

import copy
import json
import shutil

import cv2
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.cli import main  # noqa: E402
from mbu_ros.errors import InputError  # noqa: E402
from mbu_ros.network.masking import (  # noqa: E402
    greedy_plan,
    layer_operations,
    make_plan,
    plan_operations,
    weight_sparsity,
)
from mbu_ros.network.unet import Precision  # noqa: E402
from mbu_ros.training import curve, layer_costs, mask_study, train  # noqa: E402
from mbu_ros.training.curve import NEARLY, SHARES, candidates  # noqa: E402
from mbu_ros.training.datasets import load_tree  # noqa: E402
from mbu_ros.training.fixed_frames import FixedFrames  # noqa: E402
from mbu_ros.training.mask_report import as_markdown  # noqa: E402
from mbu_ros.training.mask_study import MaskStudy  # noqa: E402
from mbu_ros.training.recipe import RECIPES  # noqa: E402
from mbu_ros.training.run import Run, describe  # noqa: E402
from mbu_ros.training.settings import Settings  # noqa: E402
from mbu_ros.training.study_settings import StudySettings  # noqa: E402
from mbu_ros.training.train import Progress  # noqa: E402

PICTURES = [f'mask_{name}.png' for name in ('curve', 'sensitivity', 'sparsity')]

torch.set_num_threads(1)  # such small networks take longer with more


@pytest.fixture(scope='module')
def run_folder(box_tree, tmp_path_factory):
    """A run whose networks have learnt the boxes, more or less, in some seconds."""
    folder = tmp_path_factory.mktemp('run')
    data = load_tree(box_tree)
    recipe = RECIPES['quick'].with_values(['batch=4'])
    settings = Settings(recipe, width=4, depth=1, seed=3, budget=1.4)
    run = Run.create(folder, 'boxes', settings, describe(data, 'cpu'))
    torch.manual_seed(0)
    network = run.new_network()
    frames = FixedFrames(
        data,
        copy.deepcopy(network),
        frames=8,
        batch=4,
        class_weighting=0.4,
        device=torch.device('cpu'),
        seed=0,
    )
    frames.adapt(40, 1e-2)(network)
    for name, masked in (('float', None), ('masked', 'all'), ('binary', 'none')):
        student = copy.deepcopy(network)
        if masked is not None:
            student.set_precision(Precision.QUANTIZED, make_plan(network.shapes, masked))
            frames.adapt(40, 1e-2)(student)
        run.save_network(name, student, Progress(seconds=60.0, steps=40))
    common = {'operations': 10**6, 'seconds': 60.0}
    run.results = {
        'float': {**common, 'miou': 0.75, 'precision': 'float', 'split': 'val'},
        'masked': {**common, 'miou': 0.5, 'precision': 'quantized', 'split': 'val'},
        'binary': {**common, 'miou': 0.25, 'precision': 'quantized', 'split': 'val'},
        'chosen': {**common, 'miou': 0.1, 'precision': 'quantized', 'split': 'test'},
    }
    run.save()
    return folder


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(train, 'SETTLE_STEPS', 2)


def mask(run_folder, box_tree, *arguments):
    options = ['--device', 'cpu', '--minutes', '0.001', '--frames', '4', '--adapt-steps', '2']
    return main([
        'mask', str(run_folder), '--data', str(box_tree), *options, *map(str, arguments)
    ])


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_the_study_of_a_run(run_folder, box_tree, tmp_path, short, capsys):
    pytest.importorskip('matplotlib', reason='matplotlib is not installed')
    before = files(run_folder)
    assert mask(run_folder, box_tree, '--out', tmp_path) == 0
    assert files(run_folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ['mask.json', 'mask.md', *PICTURES]
    )
    assert all(cv2.imread(str(tmp_path / name)).std() > 0 for name in PICTURES)
    result = json.loads((tmp_path / 'mask.json').read_text())

    run = Run(run_folder)
    shapes, size = run.new_network().shapes, (34, 48)
    operations = layer_operations(shapes, size)
    assert [row['layer'] for row in result['layers']] == list(operations)
    assert result['cost']['unit'] == 'operations'
    assert {row['layer']: row['cost'] for row in result['layers']} == operations
    assert all(row['one_plane_ms'] is row['two_planes_ms'] is None for row in result['layers'])
    # The run's own budget and seed, where none is given.
    assert (result['budget']['times'], result['settings']['seed']) == (1.4, 3)

    curve_rows = result['curve']
    costs = [row['operations'] for row in curve_rows]
    binary = plan_operations(shapes, size, make_plan(shapes, 'none'))
    assert curve_rows[0]['plan'] == make_plan(shapes, 'none') and costs[0] == binary
    assert curve_rows[-1]['plan'] == make_plan(shapes)
    assert costs == [plan_operations(shapes, size, row['plan']) for row in curve_rows]
    assert all(0 < row['miou'] <= 1 and 0 < row['pixel_accuracy'] <= 1 for row in curve_rows)
    (chosen,) = (row for row in curve_rows if row['chosen'])
    assert 1 < chosen['relative'] <= 1.4
    gains = {row['layer']: row['gain_removed'] for row in result['layers']}
    assert chosen['plan'] == greedy_plan(gains, operations, result['budget']['share'])
    assert {row['layer']: row['planes'] for row in result['layers']} == chosen['plan']
    ranks = {row['rank']: gains[row['layer']] / row['cost'] for row in result['layers']}
    assert [ranks[place] for place in sorted(ranks)] == sorted(ranks.values(), reverse=True)

    assert result['added_to'] == 'binary'
    assert -1 <= result['rank_correlation']['gains'] <= 1
    zeros = weight_sparsity(run.network('masked'))
    assert {row['layer']: row['zeros'] for row in result['layers']} == zeros
    before = weight_sparsity(run.network('float').set_precision(Precision.QUANTIZED))
    assert {row['layer']: row['zeros_untrained'] for row in result['layers']} == before != zeros
    assert result['uniformity']['binary']['mean'] > 0
    assert list(result['run']) == ['float', 'masked', 'binary']  # not that of the other split

    text = (tmp_path / 'mask.md').read_text()
    assert text == as_markdown(result)
    assert '+25.00 points: 0.2500 without, 0.5000 with' in text
    printed = capsys.readouterr().out
    assert 'encoder.1.conv1: ' in printed and str(tmp_path / 'mask_curve.png') in printed


def test_without_matplotlib_and_without_a_binary_network(
    run_folder, box_tree, tmp_path, short, monkeypatch, capsys
):
    run = tmp_path / 'run'
    shutil.copytree(run_folder, run)
    (run / 'networks' / 'binary.pt').unlink()
    monkeypatch.setitem(__import__('sys').modules, 'matplotlib.figure', None)
    assert mask(run, box_tree, '--budget', 1, '--seed', 0, '--eval-split', 'val') == 0
    assert sorted(path.name for path in (run / 'mask').iterdir()) == ['mask.json', 'mask.md']
    assert 'matplotlib is not installed' in capsys.readouterr().out
    result = json.loads((run / 'mask' / 'mask.json').read_text())
    assert result['added_to'] == 'masked'
    assert [row['share'] for row in result['curve'] if row['chosen']] == [0]
    assert {row['planes'] for row in result['layers']} == {1}


def study(run_folder, box_tree, save=lambda result: None, say=lambda text: None):
    settings = StudySettings(minutes=0.001, frames=2, adapt_steps=0)
    return MaskStudy(
        Run(run_folder), load_tree(box_tree), settings, device='cpu', say=say, save=save
    )


def test_what_was_measured_before_an_interruption_is_saved(run_folder, box_tree, monkeypatch):
    saved = []

    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(curve, 'fine_tune', stop)
    with pytest.raises(KeyboardInterrupt):
        study(run_folder, box_tree, lambda result: saved.append(copy.deepcopy(result))).measure()
    assert saved[-1]['zeros'] > 0 and saved[-1]['curve'] == []
    assert all(row['gain_added'] is not None for row in saved[0]['layers'])


def test_with_a_gpu_times_decide_and_operations_are_the_budget(
    run_folder, box_tree, short, monkeypatch
):
    operations = layer_operations(Run(run_folder).new_network().shapes, (34, 48))
    names = list(operations)
    one = dict.fromkeys(names, 1.0)
    two = {name: 1.0 + 0.1 * place for place, name in enumerate(reversed(names), 1)}
    monkeypatch.setattr(
        layer_costs.GpuTimer, 'layers', lambda self, planes: ((one, two)[planes - 1], 'a GPU')
    )
    monkeypatch.setattr(layer_costs.GpuTimer, 'network', lambda self, plan: sum(plan.values()))
    # All layers gain alike, so that the time alone decides.
    monkeypatch.setattr(mask_study, 'measure_gains', lambda *args: dict.fromkeys(names, 1.0))
    result = study(run_folder, box_tree).measure()
    assert result['cost'] == {'unit': 'milliseconds', 'reason': 'measured on a GPU'}
    assert [row['rank'] for row in result['layers']] == list(range(len(names), 0, -1))
    assert all(row['ms'] == sum(row['plan'].values()) for row in result['curve'])
    (chosen,) = (row for row in result['curve'] if row['chosen'])
    assert 1.3 < chosen['relative'] <= 1.5
    gains, costs = dict.fromkeys(names, 1.0), {name: two[name] - one[name] for name in names}
    share = result['budget']['share']
    assert chosen['plan'] == greedy_plan(gains, costs, share, sizes=operations)
    assert chosen['plan'] != greedy_plan(gains, costs, share)
    assert '| decoder.0.conv2 | 1000.00 | 1100.00 | 100.00 |' in as_markdown(result)


def test_every_plan_starts_from_the_masked_network_and_has_equal_time(
    run_folder, box_tree, monkeypatch
):
    calls = []
    run = Run(run_folder)

    def fine_tune(network, teacher, plan, data, recipe, *, seconds, device, seed):
        weight = network.head.conv.weight
        assert torch.equal(weight, run.network('masked').head.conv.weight)
        assert teacher.head.precision is Precision.FLOAT and not recipe.compiled
        calls.append((tuple(plan.values()), seconds, seed))
        return copy.deepcopy(network).set_precision(Precision.QUANTIZED, plan).eval()

    monkeypatch.setattr(curve, 'fine_tune', fine_tune)
    study(run_folder, box_tree).measure()
    plans, seconds, seeds = zip(*calls)
    assert len(set(plans)) == len(plans) >= 5
    assert seconds == (pytest.approx(0.06 / len(plans)),) * len(plans) and set(seeds) == {0}


def chosen_share(shares, share):
    gains = {f'layer{i}': float(100 - i) for i in range(100)}
    costs = dict.fromkeys(gains, 1.0)
    points = candidates(gains, costs, costs, share)
    assert [point.share for point in points] == sorted(shares)
    (chosen,) = (point for point in points if point.chosen)
    for point in points:
        assert sum(planes == 2 for planes in point.plan.values()) == int(100 * point.share)
    return chosen.share


def test_the_curve_has_all_shares_and_the_chosen_one():
    assert chosen_share([*SHARES, 0.4], 0.4) == 0.4
    assert chosen_share(SHARES, 0.25) == 0.25
    nearly = 0.5 + 0.9 * NEARLY  # for which no second point of 50% is trained
    assert chosen_share([0, 0.25, nearly, 0.75, 1], nearly) == nearly
    assert chosen_share([*SHARES, 0.015], 0.015) == 0.015  # but all binary is always there


def test_equal_plans_are_trained_once():
    gains = {'a': 2.0, 'b': 1.0}
    points = candidates(gains, {'a': 1.0, 'b': 1.0}, {'a': 1.0, 'b': 1.0}, 0.6)
    assert [(point.share, point.chosen) for point in points] == [
        (0.0, False),
        (0.5, True),
        (1.0, False),
    ]


def refused(capsys, code):
    assert code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith('mbu: ')
    return lines[0]


def test_a_run_without_a_masked_network(run_folder, box_tree, tmp_path, capsys):
    run = tmp_path / 'run'
    shutil.copytree(run_folder, run)
    (run / 'networks' / 'masked.pt').unlink()
    error = refused(capsys, mask(run, box_tree))
    assert "no finished network 'masked'" in error and '--networks float,masked' in error


def test_a_folder_that_is_no_run(box_tree, tmp_path, capsys):
    assert 'run.json' in refused(capsys, mask(tmp_path, box_tree))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--budget', 0.9], 'budget is 0.9; it must be 1'),
        (['--budget', 2.1], 'budget is 2.1; it must be 1'),
        (['--budget', 'nan'], 'budget is nan; it must be 1'),
        (['--minutes', 0], 'minutes is 0.0; it must be positive'),
        (['--adapt-steps', -1], 'adapt_steps is -1; it must be 0 to'),
        (['--size', '32x32'], 'input_size [34, 48], not [32, 32]'),
        (['--eval-split', 'test'], 'no such folder'),
    ],
)
def test_arguments_out_of_range(run_folder, box_tree, capsys, tmp_path, arguments, message):
    error = refused(capsys, mask(run_folder, box_tree, '--out', tmp_path, *arguments))
    assert message in error
    assert not list(tmp_path.iterdir())


def test_an_output_folder_that_is_a_file(run_folder, box_tree, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert 'cannot be written' in refused(
        capsys, mask(run_folder, box_tree, '--out', tmp_path / 'file')
    )


def test_data_of_other_classes(run_folder, box_tree_with, tmp_path, capsys):
    root = box_tree_with(classes=['ground', 'crate'])
    error = refused(capsys, mask(run_folder, root, '--out', tmp_path / 'out'))
    assert "classes ['ground', 'box'], not ['ground', 'crate']" in error


def test_a_network_that_has_diverged(run_folder, box_tree, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(run_folder, folder)
    run = Run(folder)
    network = run.network('masked')
    network.head.conv.bias.data[0] = float('nan')  # a NaN further in has a sign: -1
    run.save_network('masked', network, Progress())
    with pytest.raises(InputError, match='loss of a network .* is nan'):
        study(folder, box_tree).measure()
