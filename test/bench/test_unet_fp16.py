# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed')

from mbu_ros.bench.unet_fp16 import FoldedUNet  # noqa: E402
from mbu_ros.network.unet import UNet  # noqa: E402

MEAN = (101, 120, 87)


def trained_looking(width, depth, classes):
    """A float U-Net whose batch norms do something."""
    torch.manual_seed(3)
    network = UNet(width, depth, classes).eval()
    for layer in network.layers.values():
        norm = layer.norm
        norm.weight.data.uniform_(-1.5, 1.5)
        norm.bias.data.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.3, 3)
    return network


@pytest.mark.parametrize(('depth', 'size'), [(2, (16, 24)), (3, (19, 33)), (1, (6, 2))])
def test_the_folded_network_equals_the_float_unet(depth, size):
    network = trained_looking(8, depth, 5)
    folded = FoldedUNet(network, MEAN).eval()
    frames = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        x = frames.permute(0, 3, 1, 2).float() - torch.tensor(MEAN).reshape(1, 3, 1, 1)
        expected = network(x)
        logits = folded.logits(frames)
        labels = folded(frames)
    scale = float(expected.abs().max())
    assert logits.shape == expected.shape == (2, 5, *size)
    assert float((logits - expected).abs().max()) <= 1e-4 * max(scale, 1)
    assert labels.dtype == torch.uint8 and labels.shape == (2, *size)
    assert (labels == logits.argmax(dim=1)).all()


def test_it_has_as_many_weights_and_no_norms():
    network = UNet(8, 2, 5).eval()
    folded = FoldedUNet(network, MEAN)
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    convolutions = [m for m in folded.modules() if isinstance(m, kinds)]
    assert len(convolutions) == len(network.shapes)
    assert sum(c.weight.numel() for c in convolutions) == sum(s.weights for s in network.shapes)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())


def test_fp16_in_channels_last_stays_close():
    network = trained_looking(8, 2, 5)
    folded = FoldedUNet(network, MEAN).eval()
    frames = torch.randint(0, 256, (1, 16, 16, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = folded.logits(frames)
        half = FoldedUNet(network, MEAN).eval()
        half = half.to(torch.float16, memory_format=torch.channels_last)
        found = half.logits(frames)
    assert found.dtype == torch.float16
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert float((found - expected).abs().max()) < 0.02 * float(expected.abs().max())


def test_torch_compile_takes_it_in_one_piece():
    folded = FoldedUNet(trained_looking(8, 2, 5), MEAN).eval()
    frames = torch.randint(0, 256, (1, 16, 16, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = folded(frames)
        # Traced only: the test needs no compiler.
        traced = torch.compile(folded, backend='eager', dynamic=False, fullgraph=True)
        assert (traced(frames) == expected).all()
