# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A deployed model made trainable again is the same network."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.data.sample import ClassMap  # noqa: E402
from mbu_ros.engine.reference import ReferenceEngine  # noqa: E402
from mbu_ros.errors import InputError  # noqa: E402
from mbu_ros.network.deploy import deploy  # noqa: E402
from mbu_ros.network.restore import restore  # noqa: E402
from mbu_ros.network.unet import Precision  # noqa: E402

from .test_unet import MEAN, centered, exercised, images  # noqa: E402

CLASSES = ClassMap(tuple('abcdef'), tuple((i, i, i) for i in range(6)))


def deployed(network, mean=MEAN, size=(24, 19)):
    return deploy(
        network, name='test', classes=CLASSES, input_size=size, mean=mean, training={}
    )


def restored(model, mean=MEAN, **options):
    batches = [centered(images(2, (24, 19), step)) for step in range(5)]
    return restore(model, batches, mean=mean, classes=6, **options)


def labels(model, frame):
    return ReferenceEngine(model).logits(frame).argmax(-1)


def assert_equal(model, other):
    """Every number of both, but for the head's common scale, which no label depends on."""
    np.testing.assert_array_equal(other.first.weight, model.first.weight)
    np.testing.assert_array_equal(other.first.threshold, model.first.threshold)
    assert other.plan == model.plan
    for shape in model.shapes:
        if shape.is_binary:
            ours, theirs = other.layers[shape.name], model.layers[shape.name]
            np.testing.assert_array_equal(ours.weights(shape), theirs.weights(shape), shape.name)
            np.testing.assert_array_equal(ours.threshold, theirs.threshold, shape.name)
    np.testing.assert_array_equal(other.head.weight, model.head.weight)
    np.testing.assert_array_equal(other.head.bias, model.head.bias)
    assert other.head.scale == pytest.approx(model.head.scale, rel=1e-5)


@pytest.mark.parametrize('masked', ['all', 'none', 'encoder.*', 'up.*'])
@pytest.mark.parametrize(('width', 'depth'), [(4, 1), (8, 3)])
def test_it_deploys_as_the_model_that_it_came_from(width, depth, masked):
    model = deployed(exercised(width, depth, (24, 19), masked))
    network = restored(model)
    assert network.plan == model.plan and not network.training
    assert_equal(model, deployed(network))


def test_training_sees_nearly_the_same_bits_and_gradients_reach_everything():
    # Batch norm of a batch is near what was measured, so most labels stay in `train` (of noise and
    # random weights; by chance a third would).
    model = deployed(exercised(8, 2, (24, 19), 'all'))
    network = restored(model)
    frames = images(8, (24, 19), 3)
    expected = labels(model, frames[0])
    assert (network(centered(frames))[0].argmax(0).numpy() == expected).all()
    network.train()
    logits = network(centered(frames))
    assert (logits[0].argmax(0).numpy() == expected).mean() > 0.5
    logits.square().sum().backward()
    for layer in network.layers.values():
        assert layer.weight.grad.abs().sum() > 0, layer.shape.name
        assert layer.norm.weight.grad.abs().sum() > 0, layer.shape.name


def test_latent_weights_are_as_large_as_those_of_a_new_network():
    # Else the usual learning rate would change all of them at once, or none.
    new = exercised(8, 2, (24, 19), 'all')
    network = restored(deployed(new))
    for shape in network.shapes[:-1]:
        ours, theirs = network.layer(shape.name).weight, new.layer(shape.name).weight
        assert ours.std().item() / theirs.std().item() == pytest.approx(1, abs=0.25), shape.name


def test_another_mean_is_taken_into_account():
    # Away from borders, where the padding is another colour, the labels are the same.
    model = deployed(exercised(8, 1, (40, 40), 'all'))
    mean = (101, 126, 93)
    shift = torch.tensor(MEAN) - torch.tensor(mean)
    batches = [centered(images(2, (40, 40), s)) + shift.reshape(1, 3, 1, 1) for s in range(3)]
    network = restore(model, batches, mean=mean, classes=6)
    moved = dataclasses.replace(deployed(network, mean=mean), input_size=(40, 40))
    frame = images(1, (40, 40), 9)[0]
    inner = (slice(8, -8), slice(8, -8))
    ours, theirs = (labels(m, frame)[inner] for m in (moved, model))
    np.testing.assert_array_equal(ours, theirs)


def test_other_classes_get_a_new_head():
    model = deployed(exercised(4, 1, (24, 19), 'all'))
    batches = [centered(images(2, (24, 19)))]
    network = restore(model, batches, mean=MEAN, classes=3, keep_head=False)
    assert network(centered(images(1, (24, 19)))).shape == (1, 3, 24, 19)
    same = restored(model, keep_head=False)
    assert not np.array_equal(deployed(same).head.weight, model.head.weight)


def test_it_needs_frames():
    model = deployed(exercised(4, 1, (24, 19), 'all'))
    with pytest.raises(InputError, match='no frames'):
        restore(model, [], mean=MEAN, classes=6)


def test_it_is_ready_to_be_quantised_otherwise():
    model = deployed(exercised(4, 1, (24, 19), 'none'))
    network = restored(model)
    network.set_precision(Precision.QUANTIZED, dict.fromkeys(network.plan, 2))
    # No weight of one plane is 0, so two planes hold the same.
    expected = labels(model, images(1, (24, 19), 5)[0])
    assert (network(centered(images(1, (24, 19), 5)))[0].argmax(0).numpy() == expected).all()
