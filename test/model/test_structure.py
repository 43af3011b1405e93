# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.model.structure import layer_shapes, padded_size


def test_a_unet_of_width_64_and_depth_4_is_the_well_known_one():
    shapes = {shape.name: shape for shape in layer_shapes(64, 4, 11)}
    assert len(shapes) == 2 * 5 + 3 * 4 + 1
    assert shapes['encoder.4.conv2'].out_channels == 1024
    assert shapes['up.3'].in_channels == (1024,)
    assert shapes['decoder.3.conv1'].in_channels == (512, 512)
    assert shapes['head'].in_channels == (64,)
    # 260 GFLOP at 368x480, the figure known for this network.
    flops = 2 * sum(shape.multiply_adds(368, 480) for shape in shapes.values())
    assert flops == pytest.approx(260e9, rel=0.01)


def test_encoders_read_what_is_pooled_above_them():
    shapes = layer_shapes(16, 2, 4)
    pooled = [shape.name for shape in shapes if shape.is_pooled(2)]
    assert pooled == ['encoder.0.conv2', 'encoder.1.conv2']
    reading = [shape.name for shape in shapes if shape.reads_pooled]
    assert reading == ['encoder.1.conv1', 'encoder.2.conv1']


def test_layers_feed_each_other():
    for width, depth in [(16, 2), (48, 3), (32, 5)]:
        written = {}
        previous = 3
        for shape in layer_shapes(width, depth, 4):
            if len(shape.in_channels) == 2:
                skip = written[f'encoder.{shape.level}.conv2']
                assert shape.in_channels == (skip, previous)
            else:
                assert shape.in_channels == (previous,)
            written[shape.name] = previous = shape.out_channels
        assert list(written)[:2] == ['encoder.0.conv1', 'encoder.0.conv2']


@pytest.mark.parametrize(
    ('size', 'depth', 'padded'),
    [
        ((16, 16), 4, (16, 16)),
        ((360, 480), 4, (368, 480)),
        ((1, 1), 2, (4, 4)),
        ((33, 7), 3, (40, 8)),
    ],
)
def test_padded_size(size, depth, padded):
    assert padded_size(*size, depth) == padded
