# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training.distill import (  # noqa: E402
    class_weights,
    distillation_loss,
    feature_loss,
    label_loss,
    mixed_label_loss,
)
from mbu_ros.training.lovasz import lovasz_softmax  # noqa: E402


@pytest.mark.parametrize('power', [0.0, 0.25, 0.4])
def test_rare_classes_weigh_more_and_absent_ones_nothing(power):
    labels = np.array([0] * 900 + [1] * 100 + [255] * 50, np.uint8)
    weights = class_weights(labels, 3, power)
    assert weights[2] == 0
    assert weights[1] / weights[0] == pytest.approx(9**power, rel=1e-5)
    assert (weights[:2] * [0.9, 0.1]).sum() == pytest.approx(1, rel=1e-5)


def test_label_loss_leaves_unlabelled_pixels_out():
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, 255], [255, 2]]])
    weights = torch.tensor([1.0, 1.0, 3.0])
    log = torch.log_softmax(logits, 1)
    expected = -(log[0, 0, 0, 0] + 3 * log[0, 2, 1, 1]) / 2
    torch.testing.assert_close(label_loss(logits, labels, weights), expected)
    nothing = torch.full((1, 2, 2), 255)
    assert label_loss(logits, nothing, weights) == 0


def test_distillation_is_zero_only_at_the_teacher():
    teacher = torch.randn(2, 4, 3, 3)
    # A softmax does not change when all logits of a pixel do.
    torch.testing.assert_close(distillation_loss(teacher + 5, teacher), torch.tensor(0.0))
    assert distillation_loss(torch.randn(2, 4, 3, 3), teacher) > 0


def test_distillation_softens_both_and_keeps_the_size_of_gradients():
    student, teacher = torch.tensor([[[[1.0]], [[-1.0]]]]), torch.tensor([[[[3.0]], [[0.0]]]])
    p, q = torch.sigmoid(torch.tensor(3.0 / 2)), torch.sigmoid(torch.tensor(2.0 / 2))
    divergence = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    torch.testing.assert_close(distillation_loss(student, teacher), 4 * divergence)


def test_weights_of_classes_move_what_counts_but_not_what_is_best():
    """A pixel of a rare class counts more, whoever sees it there; the teacher stays the aim."""
    teacher = torch.tensor([[[[9.0, -9.0]], [[-9.0, 9.0]]]])  # a pixel of each class
    weights = torch.tensor([0.5, 4.0])
    torch.testing.assert_close(
        distillation_loss(teacher + 3, teacher, 1.0, weights), torch.tensor(0.0)
    )
    torch.testing.assert_close(
        distillation_loss(teacher.flip(1), teacher, 2.0, torch.ones(2)),
        distillation_loss(teacher.flip(1), teacher, 2.0),
    )
    student = torch.zeros_like(teacher).requires_grad_()  # half of each, everywhere
    distillation_loss(student, teacher, 1.0, weights).backward()
    first, second = student.grad[0, 0, 0].abs()
    seen = [(0.5 * (0.5 + 4) + own) / 2 for own in (0.5, 4.0)]
    assert second / first == pytest.approx(seen[1] / seen[0], rel=1e-4)


def test_a_higher_temperature_softens_more():
    student, teacher = torch.tensor([[[[1.0]], [[-1.0]]]]), torch.tensor([[[[3.0]], [[0.0]]]])
    scaled = [distillation_loss(student, teacher, t) / t**2 for t in (1.0, 2.0, 4.0)]
    assert scaled == sorted(scaled, reverse=True)


def test_mixed_frames_are_of_both_labels():
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.randint(0, 3, (2, 4, 4))
    weights = torch.tensor([1.0, 0.5, 3.0])
    alone = mixed_label_loss(logits, labels, weights, torch.ones(2))
    torch.testing.assert_close(alone, label_loss(logits, labels, weights))
    other = mixed_label_loss(logits, labels, weights, torch.zeros(2))
    torch.testing.assert_close(other, label_loss(logits, labels.flip(0), weights))
    first = mixed_label_loss(logits, labels, weights, torch.tensor([0.25, 1.0]))
    expected = (
        0.25 * label_loss(logits[:1], labels[:1], weights)
        + 0.75 * label_loss(logits[:1], labels[1:], weights)
        + label_loss(logits[1:], labels[1:], weights)
    ) / 2
    torch.testing.assert_close(first, expected)


def test_lovasz_softmax_comes_on_top_of_cross_entropy():
    logits, labels = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    weights, own = torch.tensor([1.0, 0.5, 3.0]), torch.tensor([0.25, 1.0])
    expected = label_loss(logits, labels, weights) + 0.5 * lovasz_softmax(logits, labels)
    torch.testing.assert_close(label_loss(logits, labels, weights, 0.5), expected)
    # Blended frames are of both labels, in one sum over classes; one that is not, of its own alone.
    seen = torch.stack([logits[0], logits[0], logits[1]])
    said = torch.stack([labels[0], labels[1], labels[1]])
    expected = mixed_label_loss(logits, labels, weights, own)
    expected = expected + 0.5 * lovasz_softmax(seen, said, torch.tensor([0.25, 0.75, 1.0]))
    torch.testing.assert_close(mixed_label_loss(logits, labels, weights, own, 0.5), expected)


def test_features_are_compared_by_direction_pixel_by_pixel():
    teacher = [torch.randn(2, 8, 4, 4), torch.randn(2, 16, 2, 2)]
    torch.testing.assert_close(feature_loss([3 * t for t in teacher], teacher), torch.tensor(0.0))
    torch.testing.assert_close(feature_loss([-t for t in teacher], teacher), torch.tensor(2.0))
    # Half of the pixels of one of two layers point the other way.
    half = teacher[0].clone()
    half[:, :, :2] *= -1
    torch.testing.assert_close(feature_loss([half, teacher[1]], teacher), torch.tensor(0.5))
