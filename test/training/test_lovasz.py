# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lovász-softmax against its definition, and what it is for."""

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training.lovasz import BINS, lovasz_softmax  # noqa: E402


def by_definition(logits, labels):
    """The sum over sets of wrong pixels, each larger by the pixel with the next smaller error."""
    probabilities = logits.softmax(1)
    losses = []
    for index in range(logits.shape[1]):
        truth = (labels == index)[labels != 255]
        if not truth.any():
            continue
        errors = (truth.float() - probabilities[:, index][labels != 255]).abs()
        loss, wrong, before = 0.0, torch.zeros_like(truth), 0.0
        for pixel in errors.argsort(descending=True):
            wrong[pixel] = True
            found = truth ^ wrong  # what is said to be of the class
            jaccard_loss = 1 - (found & truth).sum() / (found | truth).sum()
            loss = loss + errors[pixel] * (jaccard_loss - before)
            before = jaccard_loss
        losses.append(loss)
    return sum(losses) / len(losses)


@pytest.mark.parametrize('unlabelled', [False, True])
def test_it_is_what_its_definition_says(unlabelled):
    torch.manual_seed(0)
    logits, labels = 2 * torch.randn(2, 4, 3, 5), torch.randint(0, 3, (2, 3, 5))  # 3 never occurs
    if unlabelled:
        labels[0, 1:] = 255
    expected = by_definition(logits, labels)
    assert lovasz_softmax(logits, labels) == pytest.approx(expected.item(), abs=1 / BINS)


def test_of_certain_networks_it_is_one_less_the_mean_iou():
    labels = torch.tensor([[[0, 0, 0, 1], [1, 1, 2, 2]]])
    said = torch.tensor([[[0, 0, 1, 1], [1, 1, 2, 0]]])
    logits = 100 * torch.nn.functional.one_hot(said, 3).permute(0, 3, 1, 2).float()
    loss = lovasz_softmax(logits, labels)
    assert loss == pytest.approx(1 - (2 / 4 + 3 / 4 + 1 / 2) / 3, abs=1e-5)


def test_a_small_class_counts_as_much_as_a_large_one():
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[0, 0, 0] = 1
    logits = torch.zeros(1, 2, 8, 8)
    logits[0, 0, 0, 0] = 0.1  # the least sure pixel: the only one of its class
    logits.requires_grad_()
    lovasz_softmax(logits, labels).backward()
    pull = logits.grad[0, 1].abs()
    assert pull[0, 0] > 10 * pull[1:].max()  # which cross entropy pulls alike


def test_nothing_labelled_is_no_loss_and_no_nan():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = lovasz_softmax(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_shares_scale_errors_and_those_of_zero_leave_a_frame_out():
    torch.manual_seed(1)
    logits, labels = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    alone = lovasz_softmax(logits[:1], labels[:1])
    torch.testing.assert_close(lovasz_softmax(logits, labels, torch.tensor([1.0, 0.0])), alone)
    torch.testing.assert_close(
        lovasz_softmax(logits[:1], labels[:1], torch.tensor([0.25])), alone / 4
    )
