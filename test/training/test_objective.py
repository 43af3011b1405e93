# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loss of a batch: its parts, and that it can be compiled whole."""

import logging

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.network.unet import Precision, UNet  # noqa: E402
from mbu_ros.training.batches import Batch  # noqa: E402
from mbu_ros.training.compiling import Compiler  # noqa: E402
from mbu_ros.training.distill import (  # noqa: E402
    distillation_loss,
    feature_loss,
    label_loss,
    mixed_label_loss,
)
from mbu_ros.training.objective import Objective  # noqa: E402
from mbu_ros.training.recipe import RECIPES  # noqa: E402
from mbu_ros.training.teachers import Teachers  # noqa: E402
from mbu_ros.training.train import frozen  # noqa: E402

WEIGHTS = torch.tensor([1.0, 2.0, 0.5])
RECIPE = RECIPES['standard'].with_values(
    ['label_loss=0.5', 'logit_loss=2', 'feature_loss=3', 'feature_level=0', 'temperature=4']
)


def networks(precision=Precision.QUANTIZED):
    torch.manual_seed(0)
    student = UNet(4, 1, 3).set_precision(precision).train()
    return student, frozen(UNet(4, 1, 3))


def batch(mixed=False):
    images = torch.randint(-100, 100, (2, 3, 8, 12)).float()
    return Batch(
        images, torch.randint(0, 3, (2, 8, 12)), torch.tensor([0.3, 1.0]) if mixed else None
    )


def test_the_losses_are_weighted():
    student, teacher = networks()
    frames = batch(mixed=True)
    (logits, features), (target, seen) = student(frames.images, True), teacher(frames.images, True)
    parts = (
        0.5 * mixed_label_loss(logits, frames.labels, WEIGHTS, frames.own),
        2.0 * distillation_loss(logits, target, 4.0),
        3.0 * feature_loss(features, seen),
    )
    assert all(part > 0.01 for part in parts)
    torch.testing.assert_close(Objective(student, teacher, WEIGHTS, RECIPE)(frames), sum(parts))


def test_the_logit_loss_may_weigh_classes():
    student, teacher = networks()
    frames = batch()
    logits, target = student(frames.images), teacher(frames.images)
    weights = torch.tensor([0.2, 1.0, 5.0])
    recipe = RECIPE.with_values(['label_loss=0', 'feature_loss=0'])
    expected = 2.0 * distillation_loss(logits, target, 4.0, weights)
    loss = Objective(student, teacher, WEIGHTS, recipe, weights)(frames)
    torch.testing.assert_close(loss, expected)
    assert (Objective(student, teacher, WEIGHTS, recipe)(frames) - expected).abs() > 0.01


def test_features_of_shallow_levels_may_be_left_out():
    student, teacher = networks()
    frames = batch()
    _, ours = student(frames.images, True)
    _, theirs = teacher(frames.images, True)
    pairs = dict(zip([shape.name for shape in student.shapes], zip(ours, theirs)))
    deep = [pairs[name] for name in ('encoder.1.conv1', 'encoder.1.conv2')]
    recipe = RECIPE.with_values(['label_loss=0', 'logit_loss=0', 'feature_level=1'])
    expected = 3.0 * feature_loss(*zip(*deep))
    loss = Objective(student, teacher, WEIGHTS, recipe)(frames)
    torch.testing.assert_close(loss, expected)


def test_a_teacher_may_see_the_mirror_image_too():
    student, teacher = networks()
    frames = batch()
    images = frames.images
    (logits, features), (target, seen) = student(images, True), teacher(images, True)
    mirrored = teacher(images.flip(-1)).flip(-1)
    assert (target - mirrored).abs().max() > 0.01
    recipe = RECIPE.with_values(['label_loss=0', 'teacher_flip=true'])
    expected = 2.0 * distillation_loss(logits, (target + mirrored) / 2, 4.0)
    loss = Objective(student, teacher, WEIGHTS, recipe.with_values(['feature_loss=0']))(frames)
    torch.testing.assert_close(loss, expected)
    loss = Objective(student, teacher, WEIGHTS, recipe)(frames)
    torch.testing.assert_close(loss, expected + 3.0 * feature_loss(features, seen))


def test_without_a_teacher_labels_are_all():
    student, _ = networks()
    frames = batch()
    expected = label_loss(student(frames.images), frames.labels, WEIGHTS)
    torch.testing.assert_close(Objective(student, None, WEIGHTS, RECIPE)(frames), expected)


@pytest.mark.parametrize('mixed', [False, True])
def test_labels_may_be_learnt_by_what_acts_on_miou(mixed):
    student, _ = networks()
    frames, recipe = batch(mixed), RECIPE.with_values(['lovasz=0.5'])
    logits = student(frames.images)
    if mixed:
        expected = mixed_label_loss(logits, frames.labels, WEIGHTS, frames.own, 0.5)
    else:
        expected = label_loss(logits, frames.labels, WEIGHTS, 0.5)
    torch.testing.assert_close(Objective(student, None, WEIGHTS, recipe)(frames), expected)
    plain = Objective(student, None, WEIGHTS, RECIPE)(frames)
    assert (plain - expected).abs() > 0.01


def test_labels_without_a_weight_take_no_time():
    student, teacher = networks()
    frames = batch(mixed=True)
    frames.labels.fill_(99)  # which a loss that looked at them would refuse
    recipe = RECIPE.with_values(['label_loss=0', 'feature_loss=0', 'lovasz=1'])
    expected = 2.0 * distillation_loss(student(frames.images), teacher(frames.images), 4.0)
    torch.testing.assert_close(Objective(student, teacher, WEIGHTS, recipe)(frames), expected)


def test_features_alone_leave_no_parameter_without_a_gradient():
    """Processes that train together wait for all of them."""
    student, teacher = networks()
    recipe = RECIPE.with_values(['label_loss=0', 'logit_loss=0', 'feature_level=1'])
    Objective(student, teacher, WEIGHTS, recipe)(batch()).backward()
    assert all(p.grad is not None for p in student.parameters() if p.requires_grad)


def test_only_the_network_learns():
    student, teacher = networks()
    Objective(student, teacher, WEIGHTS, RECIPE)(batch()).backward()
    assert all(p.grad is not None for p in student.parameters() if p.requires_grad)
    assert all(p.grad is None for p in teacher.parameters()) and not teacher.training


@pytest.mark.parametrize(
    ('gradient', 'flip', 'several'),
    [
        ('quadratic', 'false', False),
        ('quadratic', 'true', False),
        ('clip', 'false', False),
        ('tanh', 'false', False),
        ('quadratic', 'false', True),
    ],
)
def test_it_is_one_graph_that_stays_when_weights_blend_in(gradient, flip, several):
    """The compiler reads it whole; it would compile anew for each step if numbers changed it."""
    student, teacher = networks()
    logit_weights = None
    if several:  # one of them a deployed model, classes that weigh, and all losses there are
        quantized = UNet(4, 1, 3).set_precision(Precision.QUANTIZED)
        teacher = frozen(Teachers([teacher, quantized.set_quantizers(head_input='relu')]))
        logit_weights = torch.tensor([0.2, 1.0, 5.0])
    student.set_quantizers(activation_gradient=gradient).blending = True
    recipe = RECIPE.with_values([f'teacher_flip={flip}', f'lovasz={0.5 if several else 0}'])
    objective = Objective(student, teacher, WEIGHTS, recipe, logit_weights)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    compiled = torch.compile(objective, dynamic=False, fullgraph=True, backend=backend)
    losses = []
    for blend in (0.0, 0.4, 1.0):
        student.blend.fill_(blend)
        torch.manual_seed(1)
        frames = batch(mixed=True)
        expected = objective(frames)
        expected.backward()
        learnt = [p for p in student.parameters() if p.requires_grad]
        gradients = [p.grad.clone() for p in learnt]
        student.zero_grad()
        loss = compiled(frames)
        loss.backward()
        torch.testing.assert_close(loss, expected)
        for ours, theirs in zip(learnt, gradients):
            torch.testing.assert_close(ours.grad, theirs)
        student.zero_grad()
        losses.append(loss.item())
    assert len(graphs) == 1 and len(set(losses)) == 3


def test_what_cannot_be_compiled_runs_without_and_says_so_once(monkeypatch, caplog):
    def failing(*_, **__):
        raise RuntimeError('no compiler\nand a long story')

    monkeypatch.setattr(torch, 'compile', failing)
    compiler, module, called = Compiler(), torch.nn.Identity(), []

    def warm_up(called_module):
        called.append(called_module)
        return [1.0]

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            result = compiler.compile(module, torch.nn.Sequential, warm_up)
            assert list(result) == [module] and called.pop() is result
    (record,) = caplog.records
    assert record.getMessage() == (
        'torch.compile failed, training goes on without it: no compiler'
    )


@pytest.mark.parametrize(
    ('compiled', 'kept'),
    [([2.0, 0.9, 0.0], True), ([2.0, 0.0, 0.0], False), ([float('nan'), 1.0, 0.0], False)],
)
def test_what_loses_gradients_is_not_compiled(monkeypatch, caplog, compiled, kept):
    module, other = torch.nn.Identity(), torch.nn.Identity()
    monkeypatch.setattr(torch, 'compile', lambda *_, **__: other)

    def warm_up(called):
        return [2.0, 1.0, 0.0] if called is module else compiled

    compiler = Compiler()
    with caplog.at_level(logging.WARNING):
        result = compiler.compile(module, lambda wrapped: wrapped, warm_up)
    assert result is (other if kept else module) and compiler.failed is not kept
    assert [record.getMessage() for record in caplog.records] == (
        []
        if kept
        else [
            'torch.compile failed, training goes on without it: the compiled network loses 1 of 3 '
            f'gradients with PyTorch {torch.__version__}'
        ]
    )


def test_too_little_memory_is_not_taken_for_a_failing_compiler(monkeypatch):
    compiler = Compiler()
    monkeypatch.setattr(torch, 'compile', lambda module, **_: module)

    def full(_):
        raise torch.cuda.OutOfMemoryError('full')

    with pytest.raises(torch.cuda.OutOfMemoryError):
        compiler.compile(torch.nn.Identity(), torch.nn.Sequential, full)
    assert not compiler.failed
