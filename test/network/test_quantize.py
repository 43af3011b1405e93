# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.network.quantize import binarize, mask_binarize, quantize_int8, sign  # noqa: E402


def tanh_derivative(x):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    torch.tanh(2 * x).backward()
    return x.grad.item()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
@pytest.mark.parametrize(
    ('gradient', 'expected'),
    [
        ('quadratic', [0, 0, 1.5, 2, 1, 0]),
        ('clip', [0, 1, 1, 1, 1, 0]),
        ('tanh', [tanh_derivative(x) for x in (-2.0, -1.0, -0.25, 0.0, 0.5, 3.0)]),
    ],
)
def test_sign_and_its_gradients(gradient, expected, dtype):
    x = torch.tensor([-2.0, -1.0, -0.25, 0.0, 0.5, 3.0], dtype=dtype, requires_grad=True)
    y = sign(x, gradient)
    assert y.dtype == dtype and y.tolist() == [-1, -1, -1, 1, 1, 1]
    (3 * y).sum().backward()
    tolerance = 1e-6 if dtype == torch.float32 else 5e-3
    assert x.grad.tolist() == pytest.approx([3 * g for g in expected], abs=tolerance)


def test_the_quadratic_gradient_is_what_sign_has_by_default():
    x = torch.tensor([-0.25], requires_grad=True)
    sign(x).backward()
    assert x.grad.item() == 1.5


def test_masked_weights_are_zero_where_small_for_their_channel():
    weight = torch.tensor([[1.0, -1.0, 0.1, -0.1], [10.0, -10.0, 7.0, 1.0]])
    # Mean sizes are 0.55 and 7; 0.7 of them is 0.385 and 4.9.
    assert mask_binarize(weight).tolist() == [[1, -1, 0, 0], [1, -1, 1, 0]]


def test_the_threshold_decides_what_is_zero():
    weight = torch.tensor([[1.0, -2.0, 3.0, -4.0]])  # mean size 2.5
    for threshold, expected in (
        (0.0, [1, -1, 1, -1]),
        (0.5, [0, -1, 1, -1]),
        (1.0, [0, 0, 1, -1]),
        (1.5, [0, 0, 0, -1]),
        (1.9, [0, 0, 0, 0]),
    ):
        assert mask_binarize(weight, threshold=threshold).tolist() == [expected]


def test_thresholds_of_a_tensor_count_for_each_channel_and_are_pulled_by_weights_near_them():
    weight = torch.tensor([[1.0, -2.0, 3.0, -4.0], [1.0, -2.0, 3.0, -4.0]])  # mean size 2.5
    threshold = torch.tensor([[0.8], [1.6]], requires_grad=True)
    masked = mask_binarize(weight, threshold=threshold)
    assert masked.tolist() == [[0, -1, 1, -1], [0, 0, 0, -1]]
    (masked * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    # Latent weights are 0.2, 0.4, 0.6 and 0.8 in size. Within 0.125 of half a threshold are -0.4 of
    # the first channel and -0.8 of the second; raising the threshold brings both up to 0.
    expected = [10 * 0.5 / 0.25, 1000 * 0.5 / 0.25]
    assert threshold.grad.ravel().tolist() == pytest.approx(expected)


@pytest.mark.parametrize('quantizer', [binarize, mask_binarize])
def test_weights_are_exactly_integers_and_blend_from_the_latent_ones(quantizer):
    weight = torch.randn(50, 400, generator=torch.Generator().manual_seed(0), requires_grad=True)
    hard = quantizer(weight)
    assert set(hard.unique().tolist()) <= {-1.0, 0.0, 1.0}
    size = weight.detach().abs().mean(dim=1, keepdim=True)
    latent = (weight.detach() / (2 * size)).clamp(-1, 1)
    torch.testing.assert_close(quantizer(weight, blend=torch.tensor(0.0)), latent)
    torch.testing.assert_close(
        quantizer(weight, blend=torch.tensor(0.25)), 0.75 * latent + 0.25 * hard
    )
    assert torch.equal(quantizer(weight, blend=torch.tensor(1.0)), hard)
    # The gradient is the same all the way.
    gradients = []
    for blend in (None, torch.tensor(0.3)):
        (gradient,) = torch.autograd.grad(quantizer(weight, blend=blend).sum(), weight)
        gradients.append(gradient)
    assert torch.equal(*gradients) and gradients[0].abs().max() > 0


def test_the_channel_axis_is_the_one_given():
    weight = torch.tensor([[1.0, -1.0, 0.1, -0.1], [10.0, -10.0, 7.0, 1.0]])
    torch.testing.assert_close(mask_binarize(weight.T, 1), mask_binarize(weight).T)
    assert not torch.equal(mask_binarize(weight, 1), mask_binarize(weight))


def test_binary_weights_have_no_zeros():
    weight = torch.tensor([[0.0, 1e-9, -1e-9, 2.0]])
    assert binarize(weight).tolist() == [[1, 1, -1, 1]]


@pytest.mark.parametrize('quantizer', [binarize, mask_binarize])
def test_gradient_is_the_clamped_latent_weights(quantizer):
    weight = torch.tensor([[1.0, -1.0, 0.5, -5.5]], requires_grad=True)  # mean size 2
    (quantizer(weight) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    # 1 / (2 * 2) where |w| <= 4, and 0 where it is clamped.
    assert weight.grad.tolist() == [[0.25, 0.5, 0.75, 0.0]]


def test_all_zero_weights_give_numbers():
    for quantizer in (binarize, mask_binarize):
        assert torch.isfinite(quantizer(torch.zeros(2, 3))).all()
    assert torch.isfinite(quantize_int8(torch.zeros(2, 3))[0]).all()


def test_int8_is_within_half_a_step_and_in_range():
    weight = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    for axis, scales in ((0, 6), (None, 1)):
        q, scale = quantize_int8(weight, axis)
        assert scale.numel() == scales
        assert torch.equal(q, q.round()) and q.abs().max() == 127
        assert ((q * scale - weight).abs() <= scale * 0.5001).all()


def test_weights_do_not_depend_on_the_order_of_summation():
    # Of 200 channels of 4608 weights, some lie so near the threshold that the last bit of the mean
    # would decide; the GPU that trains adds up in another order than the CPU that deploys.
    weight = torch.randn(200, 512, 3, 3, generator=torch.Generator().manual_seed(0))
    size = weight.abs().mean(dim=(1, 2, 3))
    weight[:, 0, 0, 0] = 0.7 * size
    weight[:, 0, 0, 0] += 0.7 * (weight.double().abs().mean(dim=(1, 2, 3)).float() - size)
    expected = mask_binarize(weight)
    for dims in ((1,), (1, 2), (1, 2, 3)):
        turned = mask_binarize(weight.flip(dims).contiguous(memory_format=torch.channels_last))
        assert torch.equal(turned.flip(dims), expected)
