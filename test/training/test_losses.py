# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training.distill import class_weights, distillation_loss, label_loss  # noqa: E402


def test_rare_classes_weigh_more_and_absent_ones_nothing():
    labels = np.array([0] * 900 + [1] * 100 + [255] * 50, np.uint8)
    weights = class_weights(labels, 3)
    assert weights[2] == 0
    assert weights[1] / weights[0] == pytest.approx(9**0.4, rel=1e-5)
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
