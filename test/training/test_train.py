# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training of one network: stages, time, checkpoints, and what stops it."""

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.network.masking import make_plan  # noqa: E402
from mbu_ros.network.unet import Precision, UNet  # noqa: E402
from mbu_ros.training import train  # noqa: E402
from mbu_ros.training.batches import Batches, TrainingFrames  # noqa: E402
from mbu_ros.training.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from mbu_ros.training.clock import Clock  # noqa: E402
from mbu_ros.training.datasets import load_tree  # noqa: E402
from mbu_ros.training.networks import NETWORKS, stages  # noqa: E402
from mbu_ros.training.objective import Objective  # noqa: E402
from mbu_ros.training.recipe import RECIPES  # noqa: E402
from mbu_ros.training.steps import Steps  # noqa: E402
from mbu_ros.training.train import Diverged, Trainer, Watch, fine_tune, frozen  # noqa: E402
from mbu_ros.training.validate import evaluate  # noqa: E402

from .pretended_time import PretendedTime  # noqa: E402

CPU = torch.device('cpu')
EVERYTHING = RECIPES['standard'].with_values(
    [
        *('batch=4', 'averaging=0.9', 'feature_loss=0.5', 'activation_stage=0.4'),
        *('progressive=0.3', 'color=0.1', 'rotation=10', 'mask_threshold=0.5'),
        *('classmix=0.5', 'cutmix=0.5', 'mixup=0.5'),
        *('learned_thresholds=true', 'refit_steps=3', 'lovasz=0.5'),
    ]
)


class Killed(Exception):
    pass


@pytest.fixture(scope='module')
def data(box_tree):
    return load_tree(box_tree)


@pytest.fixture(scope='module')
def frames(data):
    return TrainingFrames(data, CPU, 0.25)


@pytest.fixture
def clock(monkeypatch):
    return PretendedTime(monkeypatch)


def network(seed=0):
    torch.manual_seed(seed)
    return UNet(4, 1, 2)


def trainer(frames, watch=None, kind='masked', recipe=EVERYTHING, seconds=40.0):
    """A student of a random teacher."""
    student, teacher = network(), frozen(network(1))
    kind = NETWORKS[kind]
    return Trainer(
        student.set_precision(Precision.FLOAT, make_plan(student.shapes, 'encoder.*')),
        teacher if kind.teacher else None,
        stages(kind, recipe),
        frames,
        recipe,
        seconds=seconds,
        seed=3,
        watch=watch,
    )


@pytest.fixture(scope='module')
def whole(frames):
    """The weights of a training that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        PretendedTime(patch)
        return trainer(frames).run().state_dict()


@pytest.mark.parametrize('kill_at', [6, 15, 17, 39])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    frames, tmp_path, monkeypatch, clock, whole, kill_at
):
    """It is killed within each of the two stages, which have 16 and 24 steps."""
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 4.0)
    path, start = tmp_path / 'checkpoint.pt', clock.steps

    def kill(*_):
        if clock.steps - start == kill_at:
            raise Killed

    watch = Watch(step=kill, save=lambda state: save_checkpoint(path, state))
    with pytest.raises(Killed):
        trainer(frames, watch).run()
    resumed = trainer(frames)
    resumed.load_state(load_checkpoint(path, ()))
    assert 0 < kill_at - resumed.progress.steps <= 4
    for name, value in resumed.run().state_dict().items():
        assert torch.equal(value, whole[name]), name
    assert resumed.progress.steps == 40


def test_stages_share_the_time_and_the_curve_tells_it(frames, data, clock):
    told, points = [], []
    watch = Watch(
        step=lambda stage, share, loss: told.append((stage, share)),
        point=points.append,
        evaluate=lambda net: evaluate(net, data.val, data.mean, 2).miou(),
    )
    student = trainer(frames, watch)
    result = student.run()
    names = [stage for stage, _ in told]
    assert names.count('binary activations') == 16 and names.count('quantized') == 24
    assert told[15][1] == 1 and told[-1] == ('quantized', 1)
    assert student.progress.seconds == 40 and student.progress.steps == 40
    assert points == student.progress.history
    assert [p['step'] for p in points] == sorted({p['step'] for p in points})
    assert {16, 40} <= {p['step'] for p in points}
    for stage in set(names):
        mious = [p['val_miou'] for p in points if p['stage'] == stage]
        assert sum(miou is not None for miou in mious) == train.EVALUATIONS
        assert all(0 <= miou <= 1 for miou in mious if miou is not None)
    assert all(p['images_per_second'] == 4 for p in points)  # a batch of 4 a second
    assert points[-1]['learning_rate'] == pytest.approx(3e-4)  # 0.3 of the highest
    assert np.isfinite([p['loss'] for p in points]).all()
    assert result.head.precision is Precision.QUANTIZED and not result.training
    assert result.plan == make_plan(result.shapes, 'encoder.*')


@pytest.mark.parametrize('plain', [True, False])
def test_the_last_statistics_are_of_frames_as_they_are(frames, clock, monkeypatch, plain):
    seen = []
    monkeypatch.setattr(train, 'settle', lambda network, images: seen.extend(images))
    recipe = EVERYTHING.with_values([f'plain_statistics={plain}'])
    trainer(frames, recipe=recipe).run()
    expected = next(Batches(frames, recipe.without_augmentation(), 3)).images
    assert torch.equal(seen[0], expected) == plain
    assert len(seen) == train.SETTLE_STEPS


def test_the_heads_of_students_are_fitted_to_labels_in_the_end(frames, clock):
    states = [
        trainer(frames, kind=kind, recipe=EVERYTHING.with_values([f'refit_steps={steps}'])).run()
        for kind in ('masked', 'float')
        for steps in (0, 5)
    ]
    before, after, *floats = [network.state_dict() for network in states]
    for name, value in after.items():
        assert torch.equal(value, before[name]) != name.startswith('head.'), name
    for name, value in floats[0].items():
        assert torch.equal(value, floats[1][name]), name


def test_the_learning_rate_falls_to_the_final_one(frames, clock):
    recipe = EVERYTHING.with_values(['learning_rate=0.01', 'final_rate=0.3'])
    student = trainer(frames, recipe=recipe)
    student.run()
    rates = {p['stage']: p['learning_rate'] for p in student.progress.history}
    assert list(rates.values()) == pytest.approx([0.003, 0.003])  # the last of each stage


@pytest.mark.parametrize('learned', [True, False])
def test_thresholds_move_where_they_are_learnt(frames, clock, learned):
    recipe = EVERYTHING.with_values([f'learned_thresholds={learned}'])
    result = trainer(frames, recipe=recipe).run()
    gains = {
        shape.name: result.layer(shape.name).threshold_gain.abs().max().item()
        for shape in result.shapes[:-1]
    }
    moved = {name for name, gain in gains.items() if gain > 0}
    assert moved == ({n for n, planes in result.plan.items() if planes == 2} if learned else set())


def test_the_result_is_the_average_of_the_weights(frames, clock):
    seen = []
    student = trainer(frames, kind='float', seconds=12)
    weight = student._network.head.conv.weight
    student._watch = Watch(step=lambda *_: seen.append(weight.detach().clone()))
    average = weight.detach().clone()
    result = student.run().head.conv.weight
    for step, value in enumerate(seen, 1):
        average.lerp_(value, 1 - min(0.9, (1 + step) / (10 + step)))
    torch.testing.assert_close(result, average)
    assert not torch.allclose(result, seen[-1])


SELECTING = EVERYTHING.with_values(['select_best=true'])


def mious(best):
    """Evaluates looks of a training: each worse than the one before, but for number `best`."""
    calls = itertools.count(1)
    return lambda network: 0.9 if (call := next(calls)) == best else 0.5 - call / 100


@pytest.mark.parametrize(('best', 'step'), [(5, 18), (7, 22), (16, 39), (17, 40)])
def test_the_best_look_of_the_last_stage_becomes_the_network(frames, clock, best, step):
    """The 4 looks before it do not count; the first of the last stage is number 5."""
    seen, look = {}, mious(best)

    def evaluate(network):
        assert not network.training
        seen[student.progress.steps] = copy.deepcopy(network.state_dict())
        return look(network)

    student = trainer(frames, Watch(evaluate=evaluate), recipe=SELECTING)
    result = student.run()
    assert student.progress.selected_step == step
    assert student.progress.steps == 40 and student.progress.history[-1]['step'] == 40
    told = [p for p in student.progress.history if p['val_miou'] is not None]
    assert [p['step'] for p in told] == list(seen)
    assert len(seen) == train.EVALUATIONS + train.SELECTING_EVALUATIONS + 1
    for name, value in result.state_dict().items():
        # The first were put between integers, the others fitted to labels.
        if not name.endswith('norm.bias') and not name.startswith('head.'):
            assert torch.equal(value, seen[step][name]), name


def test_a_look_that_tells_nothing_is_never_the_best(frames, clock, whole):
    student = trainer(frames, Watch(evaluate=lambda network: math.nan), recipe=SELECTING)
    for name, value in student.run().state_dict().items():
        assert torch.equal(value, whole[name]), name
    assert student.progress.selected_step is None


@pytest.mark.parametrize('kill_at', [17, 29, 39])
def test_a_killed_training_still_knows_its_best_look(
    frames, tmp_path, monkeypatch, clock, kill_at
):
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 4.0)
    path = tmp_path / 'checkpoint.pt'
    by_step = {24: 0.9}

    def watch(kill):
        return Watch(
            step=kill,
            save=lambda state: save_checkpoint(path, state),
            evaluate=lambda network: by_step.get(student.progress.steps, 0.5),
        )

    def kill(*_):
        if student.progress.steps == kill_at:
            raise Killed

    student = trainer(frames, watch(lambda *_: None), recipe=SELECTING)
    uninterrupted = student.run().state_dict()
    student = trainer(frames, watch(kill), recipe=SELECTING)
    with pytest.raises(Killed):
        student.run()
    student = trainer(frames, watch(lambda *_: None), recipe=SELECTING)
    student.load_state(load_checkpoint(path, ()))
    for name, value in student.run().state_dict().items():
        assert torch.equal(value, uninterrupted[name]), name
    assert student.progress.selected_step == 24


def test_a_budget_below_a_step_still_takes_one(frames, clock):
    student = trainer(frames, seconds=0.001)
    student.run()
    assert student.progress.steps == 2  # one for each stage


def test_evaluation_leaves_training_as_it_is(frames, clock, whole):
    again = trainer(frames, Watch(evaluate=lambda network: 0.0))
    for name, value in again.run().state_dict().items():
        assert torch.equal(value, whole[name]), name


def test_the_time_of_pauses_does_not_count(clock):
    timer = Clock(CPU, 5.0)
    clock.now += 2
    with timer.paused():
        clock.now += 100
    assert timer.step() == 7


def test_weights_blend_in(frames, clock):
    recipe = dataclasses.replace(EVERYTHING, activation_stage=0.0, progressive=0.5)
    blends = []
    student = trainer(frames, Watch(), recipe=recipe)
    student._watch = Watch(step=lambda *_: blends.append(student._network.blend.item()))
    result = student.run()
    assert blends[0] == 0 and blends[10] == pytest.approx(0.5) and set(blends[20:]) == {1.0}
    assert blends == sorted(blends)
    assert not result.blending


@pytest.mark.parametrize('step', [7, 16, 30, 40])
def test_a_loss_that_is_no_number_stops_training_and_nothing_bad_is_saved(
    frames, monkeypatch, clock, step
):
    """Within each stage, and at its last step."""
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 4.0)
    calls = itertools.count(1)
    original = Objective.forward
    monkeypatch.setattr(
        Objective,
        'forward',
        lambda self, batch: original(self, batch) * (float('nan') if next(calls) == step else 1),
    )
    saved = []
    watch = Watch(save=lambda state: saved.append(copy.deepcopy(state)))
    with pytest.raises(Diverged, match="diverged in stage '.*' by step .*, with a loss of nan"):
        trainer(frames, watch).run()
    assert saved
    for state in saved:
        assert state['progress']['steps'] < step
        assert all(torch.isfinite(value).all() for value in state['network'].values())


def test_weights_that_are_no_numbers_are_not_saved_after_a_good_loss(frames, monkeypatch, clock):
    monkeypatch.setattr(train, 'CHECKPOINT_SECONDS', 4.0)
    saved = []
    student = trainer(frames, Watch(save=saved.append), kind='float')
    original = Steps.step

    def spoil(steps, batch, progress):
        loss = original(steps, batch, progress)
        if clock.steps == 8:  # a checkpoint is due
            with torch.no_grad():
                student._network.layer('up.0').norm.weight[0] = float('inf')
        return loss

    monkeypatch.setattr(Steps, 'step', spoil)
    with pytest.raises(Diverged, match=r"stage 'float' by step 8, with a loss of \d"):
        student.run()
    assert [state['progress']['steps'] for state in saved] == [4]


def test_fine_tuning_leaves_what_it_starts_from(data, clock):
    masked = network().set_precision(Precision.QUANTIZED, make_plan(network().shapes, 'all'))
    teacher = network(1)
    before = copy.deepcopy((masked.state_dict(), teacher.state_dict()))
    plan = make_plan(masked.shapes, 'encoder.*')
    tuned = fine_tune(
        masked.requires_grad_(False),
        teacher,
        plan,
        data,
        EVERYTHING,
        seconds=6,
        device='cpu',
        seed=0,
    )
    assert clock.steps == 6
    assert tuned.plan == plan and masked.plan != plan
    assert {layer.mask_threshold for layer in tuned.layers.values()} == {0.5}
    for old, now in zip(before, (masked, teacher)):
        assert all(torch.equal(old[name], value) for name, value in now.state_dict().items())
    moved = tuned.state_dict()['head.conv.weight'] - before[0]['head.conv.weight']
    assert moved.abs().max() > 0
    for shape in tuned.shapes[1:-1]:  # no rounding decides over a bit: see `network.edges`
        layer = tuned.layer(shape.name)
        norm = layer.norm
        edge = norm.running_mean - norm.bias * (norm.running_var + norm.eps).sqrt() / norm.weight
        if layer is tuned.last_layer:  # nor over a sum that the head reads
            edge = (edge + layer.quantized_weight().sum(dim=(1, 2, 3))) / 2 + 0.5
        assert ((edge - edge.floor() - 0.5).abs() < 0.01).all(), shape.name
