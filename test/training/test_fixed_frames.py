# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import copy
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.network.unet import UNet  # noqa: E402
from mbu_ros.training.datasets import Split, load_tree  # noqa: E402
from mbu_ros.training.distill import class_weights, distillation_loss, label_loss  # noqa: E402
from mbu_ros.training.fixed_frames import FixedFrames  # noqa: E402

torch.set_num_threads(1)  # such small networks take longer with more


@pytest.fixture
def data(box_tree):
    return load_tree(box_tree)


@pytest.fixture
def teacher():
    torch.manual_seed(1)
    return UNet(4, 1, 2)


@pytest.fixture
def student():
    torch.manual_seed(2)
    return UNet(4, 1, 2)


def fixed(data, teacher, frames=4, batch=3, seed=0, class_weighting=0.4):
    return FixedFrames(
        data,
        teacher,
        frames=frames,
        batch=batch,
        class_weighting=class_weighting,
        device=torch.device('cpu'),
        seed=seed,
    )


@pytest.mark.parametrize('power', [0.0, 0.4])
def test_the_loss_is_the_mean_over_all_frames(data, teacher, student, power):
    frames = fixed(data, teacher, frames=100, class_weighting=power)
    assert frames.frames == len(data.train) == 8
    center = torch.tensor(data.mean, dtype=torch.float32).reshape(3, 1, 1)
    weights = torch.from_numpy(class_weights(data.train.labels, 2, power))
    student.eval(), teacher.eval()
    losses = []
    with torch.no_grad():
        for image, label in zip(data.train.images, data.train.labels):
            x = (torch.from_numpy(image).permute(2, 0, 1).float() - center)[None]
            logits = student(x)
            loss = label_loss(logits, torch.from_numpy(label)[None].long(), weights)
            losses.append(float(loss + distillation_loss(logits, teacher(x))))
    assert frames.loss(student) == pytest.approx(np.mean(losses), rel=1e-4)


def test_the_loss_changes_nothing_and_is_always_the_same(data, teacher, student):
    frames = fixed(data, teacher)
    student.train()
    before = copy.deepcopy(student.state_dict())
    assert frames.loss(student) == frames.loss(student) == fixed(data, teacher).loss(student)
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert frames.loss(student) != fixed(data, teacher, seed=1).loss(student)


@pytest.mark.parametrize('steps', [0, 3])
def test_adapting_does_the_same_to_each_network(data, teacher, student, steps):
    adapt = fixed(data, teacher).adapt(steps, 1e-2)
    copies = [copy.deepcopy(student) for _ in range(2)]
    for one in copies:
        adapt(one)
    first, second = (one.state_dict() for one in copies)
    assert all(torch.equal(first[name], second[name]) for name in first)
    moved = not torch.equal(first['head.conv.weight'], student.head.conv.weight)
    assert moved == (steps > 0)
    name = 'layers.encoder_0_conv1.norm.running_mean'
    assert not torch.equal(first[name], student.state_dict()[name])


def test_a_few_steps_bring_the_loss_down(data, teacher, student):
    frames = fixed(data, teacher)
    frames.adapt(0, 1.0)(student)
    before = frames.loss(student)
    frames.adapt(30, 1e-2)(student)
    assert frames.loss(student) < 0.9 * before


def test_frames_to_adapt_with_are_others_and_a_batch_is_never_short(data, teacher, student):
    images = np.zeros_like(data.train.images)
    images[:] = np.arange(8, dtype=np.uint8)[:, None, None, None]  # frame i is of the value i
    data = dataclasses.replace(data, train=Split(images, data.train.labels))
    frames = fixed(data, teacher, frames=4, batch=3)
    seen = {True: [], False: []}
    offset = torch.tensor(data.mean).reshape(3, 1, 1)
    student.register_forward_pre_hook(
        lambda network, args: seen[network.training].append(
            [int(frame) for frame in (args[0] + offset).amax(dim=(1, 2, 3))]
        )
    )
    frames.loss(student)
    measured = seen[False]
    assert [len(batch) for batch in measured] == [3, 1]
    frames.adapt(0, 1.0)(student)
    adapted = seen[True]
    assert [len(batch) for batch in adapted] == [3, 3]
    assert len({*sum(measured, [])}) == 4
    assert {*adapted[0], adapted[1][0]} == set(range(8)) - {*sum(measured, [])}
