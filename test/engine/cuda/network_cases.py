# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each launch of a network must write, by NumPy, for tests of the kernels on CPU and GPU."""

import numpy as np
from threadpoolctl import threadpool_limits

from mbu_ros.engine.cuda.launch import Constant
from mbu_ros.engine.cuda.layout import pixel_bytes
from mbu_ros.engine.cuda.network_plan import network_constant, network_plan
from mbu_ros.model.structure import FIRST, UP, layer_shapes, padded_size


def plan_of(planes, width, depth, classes):
    shapes = layer_shapes(width, depth, classes)
    if planes == 'mixed':
        return None
    return {shape.name: planes for shape in shapes if shape.is_binary}


def unpack(raw, size, channels):
    """Bytes of a tensor to float32 [batch, height, width, channels]; its padding must be 0."""
    bits = np.unpackbits(
        raw[: np.prod(size) * pixel_bytes(channels)].reshape(*size, -1), axis=-1, bitorder='little'
    )
    assert not bits[..., channels:].any(), 'padding channels must stay 0'
    return bits[..., :channels].astype(np.float32)


def convolve(bits, weights):
    """3x3 sums: float32 [batch, H + 2, W + 2, in], [out, 9, in] to [batch, H, W, out]."""
    height, width = bits.shape[1] - 2, bits.shape[2] - 2
    return sum(
        bits[:, tap // 3 : tap // 3 + height, tap % 3 : tap % 3 + width] @ weights[:, tap].T
        for tap in range(9)
    )


def border(bits):
    return np.pad(bits, ((0, 0), (1, 1), (1, 1), (0, 0)))


def random_image(random, model, batch):
    """A network image as the input kernel makes it: int8 [batch, height, width, 4]."""
    padded = padded_size(*model.input_size, model.depth)
    image = np.zeros((batch, *padded, 4), np.int8)
    image[..., :3] = np.array(model.mean) - 128
    height, width = model.input_size
    image[:, :height, :width, :3] = random.integers(-128, 128, (batch, height, width, 3))
    return image


# The BLAS's own threads wait by spinning, which beside other work takes several times as long.
@threadpool_limits.wrap(limits=1, user_api='blas')
def check_launches(run, limits, model, batch, instruction, confidence=False):
    """Run the plan launch by launch and compare what each wrote with what it should have."""
    random = np.random.default_rng(batch)
    plan = network_plan(model, batch, confidence, limits, instruction)
    buffers = dict(plan.buffers)
    buffers['image'] = random_image(random, model, batch)
    height, width = padded_size(*model.input_size, model.depth)
    for shape, launch in zip(model.shapes, plan.launches, strict=False):
        names = [argument.name for argument in launch.arguments if hasattr(argument, 'name')]
        used = {name: buffers[name] for name in names if name in buffers}
        needed = {
            argument.name: network_constant(model, argument.name)
            for argument in launch.arguments
            if isinstance(argument, Constant)
        }
        after = run([launch], needed, used)
        # A later tensor may lie where the image was.
        after = {name: content.reshape(-1).view(np.uint8) for name, content in after.items()}
        size = (batch, height >> shape.level, width >> shape.level)
        message = f'{launch.layer} {launch.kernel}'
        if shape.kind == FIRST:
            pixels = buffers['image'][..., :3].astype(np.float32)
            padded = np.empty((batch, height + 2, width + 2, 3), np.float32)
            padded[...] = np.array(model.mean, np.float32) - 128
            padded[:, 1:-1, 1:-1] = pixels
            weights = model.first.weight.reshape(model.width, 9, 3).astype(np.float32)
            expected = convolve(padded, weights) >= model.first.threshold
            got = unpack(after[names[-1]], size, model.width)
            np.testing.assert_array_equal(got, expected, message)
            buffers.update(after)
            continue
        layer = model.layers[shape.name]
        weights = layer.weights(shape).astype(np.float32)
        sources = [
            unpack(buffers[name], size, channels)
            for name, channels in zip(names, shape.in_channels)
        ]
        if shape.kind == UP:
            sums = np.einsum('nhwi,oti->nhwto', sources[0], weights)
            bits = (sums >= layer.threshold.T).reshape(*size, 2, 2, -1)
            expected = bits.transpose(0, 1, 3, 2, 4, 5).reshape(
                batch, 2 * size[1], 2 * size[2], shape.out_channels
            )
            got = unpack(after[names[-1]], expected.shape[:3], shape.out_channels)
            np.testing.assert_array_equal(got, expected, message)
        else:
            sums = convolve(border(np.concatenate(sources, axis=-1)), weights)
            expected = sums >= layer.threshold
            if 'head' in launch.layer:
                rows, columns = model.input_size
                read = expected
                if model.head.lowest is not None:
                    read = sums.astype(np.int64) - layer.threshold  # that are constant too
                    read = read.clip(model.head.lowest, 127)
                logits = read[:, :rows, :columns].astype(np.float32) @ model.head.weight.T
                logits = logits.astype(np.int64) + model.head.bias
                labels = after['labels'].reshape(batch, rows, columns)
                np.testing.assert_array_equal(labels, logits.argmax(axis=-1), message)
                if confidence:
                    scaled = (logits - logits.max(axis=-1, keepdims=True)) * model.head.scale
                    scores = after['confidence'].view(np.float32).reshape(labels.shape)
                    np.testing.assert_allclose(scores, 1 / np.exp(scaled).sum(-1), atol=1e-5)
                return
            full, pooled = names[-2:]
            got = unpack(after[full], size, shape.out_channels)
            np.testing.assert_array_equal(got, expected, message)
            if launch.arguments[-1]:
                halves = expected.reshape(batch, size[1] // 2, 2, size[2] // 2, 2, -1)
                got = unpack(after[pooled], halves[:, :, 0, :, 0].shape[:3], shape.out_channels)
                np.testing.assert_array_equal(got, halves.any(axis=(2, 4)), f'pooled {message}')
        buffers.update(after)
    raise AssertionError('the plan did not end with the head')
