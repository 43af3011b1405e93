# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reference engine against convolutions written out as loops over integers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.errors import InputError
from mbu_ros.imaging.resize import resize_frame, resize_mask
from mbu_ros.model.packing import pack_sources
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import UP, padded_size


def naive_logits(model, image):
    """The integer network by definition, with popcounts of packed words."""
    height, width = image.shape[:2]
    rows, columns = padded_size(height, width, model.depth)
    mean = np.array(model.mean) - 128
    pixels = np.broadcast_to(mean, (rows + 2, columns + 2, 3)).copy()
    pixels[1 : height + 1, 1 : width + 1] = image.astype(int) - 128
    skips, bits = {}, None
    for shape in model.shapes[:-1]:
        if shape.kind == 'first':
            bits = np.zeros((rows, columns, shape.out_channels), int)
            weight = model.first.weight.astype(int)
            for y in range(rows):
                for x in range(columns):
                    acc = (weight * pixels[y : y + 3, x : x + 3]).sum(axis=(1, 2, 3))
                    bits[y, x] = acc >= model.first.threshold
            continue
        if shape.name.startswith('encoder') and shape.name.endswith('conv1'):
            skips[shape.level - 1] = bits
            bits = bits[0::2, 0::2] | bits[0::2, 1::2] | bits[1::2, 0::2] | bits[1::2, 1::2]
        if len(shape.in_channels) == 2:
            bits = np.concatenate([skips[shape.level], bits], axis=2)
        layer = model.layers[shape.name]
        h, w = bits.shape[:2]
        channels = pack_sources(np.ones(sum(shape.in_channels), bool), shape.in_channels)
        minus = ~layer.plus & channels if layer.minus is None else layer.minus
        if shape.kind == UP:
            packed = pack_sources(bits, shape.in_channels)
            output = np.zeros((2 * h, 2 * w, shape.out_channels), int)
            for y in range(h):
                for x in range(w):
                    for tap in range(4):
                        a = packed[y, x]
                        acc = count(a & layer.plus[:, tap]) - count(a & minus[:, tap])
                        where = 2 * y + tap // 2, 2 * x + tap % 2
                        output[where] = acc >= layer.threshold[:, tap]
        else:
            packed = pack_sources(np.pad(bits, ((1, 1), (1, 1), (0, 0))), shape.in_channels)
            output = np.zeros((h, w, shape.out_channels), int)
            for y in range(h):
                for x in range(w):
                    acc = 0
                    for tap in range(9):
                        a = packed[y + tap // 3, x + tap % 3]
                        acc = acc + count(a & layer.plus[:, tap]) - count(a & minus[:, tap])
                    output[y, x] = acc >= layer.threshold
                    if shape.name == 'decoder.0.conv2' and model.head.lowest is not None:
                        margin = acc - layer.threshold.astype(int)
                        output[y, x] = np.minimum(np.maximum(margin, model.head.lowest), 127)
        bits = output
    logits = bits[:height, :width] @ model.head.weight.astype(int).T + model.head.bias
    return logits


def count(words):
    """Set bits of uint32 [out, words], summed over the words."""
    octets = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(octets, axis=1).sum(axis=1).astype(int)


@pytest.mark.parametrize('lowest', [None, 0, -128])
@pytest.mark.parametrize(
    ('width', 'depth', 'size', 'seed'),
    [(16, 2, (16, 16), 0), (16, 2, (13, 22), 1), (33, 1, (9, 7), 2), (8, 3, (17, 8), 3)],
)
def test_logits_equal_the_definition(width, depth, size, seed, lowest):
    model = random_model(
        width=width, depth=depth, classes=4, input_size=size, seed=seed, lowest=lowest
    )
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    logits = ReferenceEngine(model).logits(image)
    assert logits.dtype == np.int32
    np.testing.assert_array_equal(logits, naive_logits(model, image))


def test_a_wide_image_spans_several_blocks():
    # Rows are worked on in blocks; a block's edge must not show.
    model = random_model(width=16, depth=1, input_size=(40, 300), seed=5)
    image = np.random.default_rng(5).integers(0, 256, (40, 300, 3), dtype=np.uint8)
    whole = ReferenceEngine(model).logits(image)
    import mbu_ros.engine.reference as reference

    before, reference.BLOCK_VALUES = reference.BLOCK_VALUES, 1
    try:
        np.testing.assert_array_equal(ReferenceEngine(model).logits(image), whole)
    finally:
        reference.BLOCK_VALUES = before


def test_segment_resizes_in_and_out():
    model = random_model(input_size=(32, 48), seed=7)
    engine = ReferenceEngine(model)
    frame = np.random.default_rng(7).integers(0, 256, (75, 91, 3), dtype=np.uint8)
    (result,) = engine.segment([frame])
    assert result.labels.dtype == np.uint8
    assert result.labels.shape == (75, 91)
    assert result.confidence is None
    labels = engine.logits(resize_frame(frame, 32, 48)).argmax(axis=2).astype(np.uint8)
    np.testing.assert_array_equal(result.labels, resize_mask(labels, 75, 91))
    assert len(np.unique(result.labels)) > 1
    assert set(result.milliseconds) == {'resize', 'network', 'mask'}


def test_a_batch_equals_its_frames_one_by_one():
    engine = ReferenceEngine(random_model(seed=8))
    random = np.random.default_rng(8)
    frames = [random.integers(0, 256, (h, 50, 3), dtype=np.uint8) for h in (40, 64, 70)]
    for frame, result in zip(frames, engine.segment(frames)):
        np.testing.assert_array_equal(result.labels, engine.segment([frame])[0].labels)
    assert engine.segment([]) == []


def test_ties_go_to_the_lowest_class():
    model = random_model(classes=3, seed=9)
    model.head.weight[:] = 1
    model.head.bias[:] = (0, 5, 5)
    frame = np.random.default_rng(9).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    assert (ReferenceEngine(model).segment([frame])[0].labels == 1).all()


def test_confidence_is_the_softmax_of_the_winner():
    model = random_model(classes=4, seed=10)
    engine = ReferenceEngine(model)
    frame = np.random.default_rng(10).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    (result,) = engine.segment([frame], confidence=True)
    logits = engine.logits(frame) * model.head.scale
    softmax = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    assert result.confidence.dtype == np.float32
    np.testing.assert_allclose(result.confidence, softmax.max(axis=2), rtol=1e-5)


@pytest.mark.parametrize(
    'frame',
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
        [[1, 2, 3]],
    ],
)
def test_frames_of_another_kind_are_refused(frame):
    with pytest.raises(InputError, match='a frame must'):
        ReferenceEngine(random_model()).segment([frame])


def test_non_contiguous_frames_are_taken():
    engine = ReferenceEngine(random_model(seed=11))
    frame = np.random.default_rng(11).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    flipped = frame[::-1, ::-1]
    np.testing.assert_array_equal(
        engine.segment([flipped])[0].labels, engine.segment([flipped.copy()])[0].labels
    )


def test_engines_and_threads_do_not_disturb_each_other():
    frame = np.random.default_rng(12).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    engines = [ReferenceEngine(random_model(seed=seed)) for seed in range(2)]
    expected = [engine.segment([frame])[0].labels for engine in engines]
    assert not np.array_equal(*expected)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda i: engines[i % 2].segment([frame])[0].labels, range(24)))
    for i, labels in enumerate(results):
        np.testing.assert_array_equal(labels, expected[i % 2])
    blas = [info['num_threads'] for info in threadpool_info() if info['user_api'] == 'blas']
    assert set(blas) == {1}


def test_the_number_of_threads_changes_nothing_but_the_device():
    model = random_model(width=8, depth=2, seed=9)
    image = np.random.default_rng(9).integers(0, 256, (70, 90, 3), np.uint8)
    one, three = ReferenceEngine(model, threads=1), ReferenceEngine(model, threads=3)
    assert (one.segment([image])[0].labels == three.segment([image])[0].labels).all()
    assert (one.device, three.device) == ('CPU, 1 core', 'CPU, 3 cores')


def test_a_closed_engine_refuses_and_may_be_closed_again():
    engine = ReferenceEngine(random_model())
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError):
        engine.segment([np.zeros((64, 80, 3), np.uint8)])


def test_a_model_that_no_memory_holds_is_refused():
    # A file of some kilobytes may ask for it.
    with pytest.raises(EngineUnavailable, match='16384x16384 needs about .* take a smaller model'):
        ReferenceEngine(random_model(width=512, depth=1, input_size=(16384, 16384)))
