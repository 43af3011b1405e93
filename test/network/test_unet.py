# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network in training, and that the deployed one is the same network."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.data.sample import ClassMap  # noqa: E402
from mbu_ros.engine.reference import ReferenceEngine  # noqa: E402
from mbu_ros.model.file import load_model, save_model  # noqa: E402
from mbu_ros.network.deploy import deploy  # noqa: E402
from mbu_ros.network.masking import make_plan  # noqa: E402
from mbu_ros.network.unet import Precision, UNet  # noqa: E402

MEAN = (120, 111, 99)


def images(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def centered(frames):
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() - torch.tensor(MEAN).reshape(
        1, 3, 1, 1
    )


def exercised(width, depth, size, masked, seed=0):
    """A quantised network whose batch norms have statistics, and gammas of every sign."""
    torch.manual_seed(seed)
    network = UNet(width, depth, 6)
    network.set_precision(Precision.QUANTIZED, make_plan(network.shapes, masked))
    with torch.no_grad():
        for layer in network.layers.values():
            torch.nn.init.normal_(layer.norm.weight)
            torch.nn.init.normal_(layer.norm.bias)
            layer.norm.weight[::7] = 0
    network.train()
    for step in range(10):
        network(centered(images(2, size, step)))
    return network.eval()


@pytest.mark.parametrize('precision', list(Precision))
@pytest.mark.parametrize(('width', 'depth', 'size'), [(4, 1, (6, 7)), (8, 3, (24, 19))])
def test_shape_and_gradients_at_every_precision(precision, width, depth, size):
    network = UNet(width, depth, 5).set_precision(precision).learn_thresholds(True)
    logits = network(centered(images(2, size)))
    assert logits.shape == (2, 5, *size)
    logits.square().sum().backward()
    for name, parameter in network.named_parameters():
        if name.endswith('threshold_gain') and not parameter.requires_grad:
            continue
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_thresholds_are_learnt_where_weights_are_masked():
    network = UNet(4, 1, 5)
    plan = make_plan(network.shapes, 'encoder.*')

    def learnt():
        names = (shape.name for shape in network.shapes[:-1])
        return {name for name in names if network.layer(name).threshold_gain.requires_grad}

    network.set_precision(Precision.FLOAT, plan).learn_thresholds(True)
    assert not learnt()
    network.set_precision(Precision.QUANTIZED).learn_thresholds(True)
    assert learnt() == {name for name, planes in plan.items() if planes == 2}
    network.learn_thresholds(False)
    assert not learnt()


@pytest.mark.parametrize('precision', list(Precision))
def test_features_are_what_activations_are_made_of(precision):
    torch.manual_seed(0)
    network = UNet(4, 2, 5).set_precision(precision).eval()
    frames = centered(images(2, (10, 14)))
    logits, features = network(frames, features=True)
    assert torch.equal(logits, network(frames))
    # Padded to 12x16, then halved at each level, and doubled by the up-convolutions.
    sizes = [(4, 12, 16)] * 2 + [(8, 6, 8)] * 2 + [(16, 3, 4)] * 2
    sizes += [(8, 6, 8)] * 3 + [(4, 12, 16)] * 3
    assert [tuple(feature.shape[1:]) for feature in features] == sizes
    normed, active = {}, {}
    for layer in network.layers.values():
        layer.norm.register_forward_hook(
            lambda module, inputs, output, name=layer.shape.name: normed.update({name: output})
        )
        layer.register_forward_hook(
            lambda module, inputs, output: active.update({module.shape.name: output})
        )
    network(frames)
    for shape, feature in zip(network.shapes, features):
        assert torch.equal(feature, normed[shape.name])
        assert torch.equal(network.layer(shape.name).activate(feature), active[shape.name])


def test_weights_blend_only_in_training_and_only_where_asked_for():
    torch.manual_seed(0)
    network = UNet(4, 1, 3).set_precision(Precision.QUANTIZED)
    frames = centered(images(2, (8, 8)))
    hard = network(frames)
    network.blend.fill_(0.0)
    assert torch.equal(network(frames), hard)
    network.blending = True
    assert not torch.allclose(network(frames), hard)
    network.blend.fill_(1.0)
    assert torch.equal(network(frames), hard)
    assert 'blend' not in network.state_dict()


def test_quantized_layers_see_and_hold_what_they_should():
    network = exercised(16, 2, (16, 16), 'encoder.*')
    seen = {}
    for shape in network.shapes[1:-1]:
        layer = network.layer(shape.name)
        layer.register_forward_hook(
            lambda module, inputs, output: seen.update({module.shape.name: inputs[0]})
        )
    network(centered(images(1, (16, 16))))
    for shape in network.shapes[1:-1]:
        assert set(seen[shape.name].unique().tolist()) <= {-1.0, 1.0}
        values = set(network.layer(shape.name).quantized_weight().unique().tolist())
        assert values == ({-1, 0, 1} if shape.name.startswith('encoder') else {-1, 1})


def test_the_mask_threshold_is_deployed():
    zeros = []
    for threshold in (0.2, 1.2):
        network = exercised(8, 1, (16, 16), 'all').set_quantizers(mask_threshold=threshold)
        classes = ClassMap(tuple('abcdef'), tuple((i, i, i) for i in range(6)))
        model = deploy(
            network, name='t', classes=classes, input_size=(16, 16), mean=MEAN, training={}
        )
        shares = []
        for shape in network.shapes[1:-1]:
            deployed = model.layers[shape.name].weights(shape)
            shares.append((deployed == 0).mean())
            trained = network.layer(shape.name).quantized_weight()
            assert (trained == 0).float().mean().item() == pytest.approx(shares[-1])
        zeros.append(np.mean(shares))
    assert zeros[0] < 0.2 and zeros[1] > 0.55


@pytest.mark.parametrize(
    ('width', 'depth', 'size', 'masked'),
    [
        (16, 2, (32, 48), 'all'),
        (16, 2, (30, 41), 'none'),
        (24, 3, (37, 41), 'encoder.*'),
        (8, 4, (16, 16), 'up.*,decoder.0.*'),
    ],
)
def test_the_deployed_network_is_the_trained_network(width, depth, size, masked, tmp_path):
    network = exercised(width, depth, size, masked)
    model = deploy(
        network,
        name='test',
        classes=ClassMap(tuple('abcdef'), tuple((i, i, i) for i in range(6))),
        input_size=size,
        mean=MEAN,
        training={},
    )
    assert model.plan == make_plan(network.shapes, masked)
    save_model(model, tmp_path / 'm.safetensors')
    engine = ReferenceEngine(load_model(tmp_path / 'm.safetensors'))
    frames = images(3, size, 99)
    with torch.inference_mode():
        trained = network(centered(frames)).permute(0, 2, 3, 1).numpy()
    deployed = np.stack([engine.logits(frame) for frame in frames]) * model.head.scale
    # The deployed logits leave out what all classes have in common; here nothing.
    np.testing.assert_allclose(deployed, trained, atol=1e-3)
    assert (deployed.argmax(-1) == trained.argmax(-1)).mean() >= 0.9999
