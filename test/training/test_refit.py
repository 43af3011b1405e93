# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The head fitted to labels, and nothing else changed."""

import copy
import itertools

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.network.masking import make_plan  # noqa: E402
from mbu_ros.network.unet import Precision, UNet  # noqa: E402
from mbu_ros.training.batches import Batch  # noqa: E402
from mbu_ros.training.distill import label_loss  # noqa: E402
from mbu_ros.training.refit import refit_head  # noqa: E402

WEIGHTS = torch.ones(3)


@pytest.fixture
def batch():
    """The class of a pixel is the brightest of its colours."""
    torch.manual_seed(0)
    images = torch.randint(-100, 100, (4, 3, 1, 1)) * torch.ones(4, 3, 16, 16)
    return Batch(images, images.argmax(1))


def network_of(head_input):
    torch.manual_seed(1)
    network = UNet(8, 1, 3)
    network.set_precision(Precision.QUANTIZED, make_plan(network.shapes, 'all'))
    network.set_quantizers(head_input=head_input)
    network(torch.randint(-100, 100, (4, 3, 16, 16)).float())  # statistics
    return network.eval()


def loss_of(network, batch):
    with torch.no_grad():
        return label_loss(network(batch.images), batch.labels, WEIGHTS).item()


@pytest.mark.parametrize('head_input', ['bits', 'relu', 'sums'])
def test_the_labels_fit_and_only_the_head_has_changed(batch, head_input):
    network = network_of(head_input)
    before = copy.deepcopy(network)
    refit_head(network, itertools.repeat(batch), WEIGHTS, 60)
    assert loss_of(network, batch) < 0.7 * loss_of(before, batch)
    kept = dict(before.named_parameters()) | dict(before.named_buffers())
    for name, value in (dict(network.named_parameters()) | dict(network.named_buffers())).items():
        assert torch.equal(value, kept[name]) != name.startswith('head.'), name


def test_what_learns_afterwards_is_what_learnt_before(batch):
    network = network_of('bits').train()
    network.layer('up.0').weight.requires_grad_(False)
    before = [parameter.requires_grad for parameter in network.parameters()]
    refit_head(network, itertools.repeat(batch), WEIGHTS, 2)
    assert [parameter.requires_grad for parameter in network.parameters()] == before
    assert network.training


def test_a_class_that_is_rarely_seen_is_found_by_what_acts_on_miou():
    """Of pixels that look alike one in three is of it; to say so more often gains it more IoU."""
    images = torch.zeros(1, 3, 16, 16)
    labels = torch.zeros(1, 16, 16, dtype=torch.int64)
    labels[0, ::3] = 2  # a third, and 1 never
    found = {}
    for lovasz in (0.0, 10.0):
        network = network_of('relu')
        refit_head(network, itertools.repeat(Batch(images, labels)), WEIGHTS, 50, lovasz)
        with torch.no_grad():
            found[lovasz] = network(images).softmax(1)[0, 2].mean().item()
    assert found[0.0] == pytest.approx(labels.eq(2).float().mean().item(), abs=0.05)
    assert found[10.0] > found[0.0] + 0.05


def test_no_more_batches_are_taken_than_asked_for(batch):
    refit_head(network_of('bits'), iter([batch] * 3), WEIGHTS, 3)
