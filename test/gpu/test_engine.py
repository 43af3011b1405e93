# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA engine on a GPU: its masks are the reference engine's, and it keeps nothing."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from mbu_ros.data.sample import ClassMap
from mbu_ros.engine.base import EngineError, EngineUnavailable, RawFrame
from mbu_ros.engine.cuda import CudaEngine, graph
from mbu_ros.engine.cuda.frame_format import ENCODINGS, FrameFormat
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.engine.select import create_engine
from mbu_ros.imaging.resize import resize_frame
from mbu_ros.model.catalog import shipped_models
from mbu_ros.model.deployed import ALWAYS, NEVER, Model
from mbu_ros.model.file import load_model
from mbu_ros.model.fold import BatchNorm, fold_binary, fold_first, fold_head
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import TAPS, layer_shapes

SOURCE = Path(__file__).resolve().parents[2]


def picture(size, seed=0):
    """A frame with large and small structure: uint8 [H, W, 3]."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (-(-size[0] // 16), -(-size[1] // 16), 3))
    blocks = coarse.repeat(16, axis=0).repeat(16, axis=1)[: size[0], : size[1]]
    noise = random.integers(-60, 61, (*size, 3))
    return np.clip(blocks + noise, 0, 255).astype(np.uint8)


@contextlib.contextmanager
def engines(model):
    """The engine and the reference, of one model."""
    engine, reference = CudaEngine(model), ReferenceEngine(model)
    try:
        yield engine, reference
    finally:
        engine.close()
        reference.close()


def compare(engine, reference, frames, confidence=False):
    """Segment by both and compare; returns the engine's results."""
    found = engine.segment(frames, confidence=confidence)
    expected = reference.segment(frames, confidence=confidence)
    assert len(found) == len(expected) == len(frames)
    for one, other in zip(found, expected):
        assert one.labels.dtype == np.uint8 and one.labels.flags.writeable
        np.testing.assert_array_equal(one.labels, other.labels)
        assert all(time > 0 for time in one.milliseconds.values())
        if confidence:
            assert one.confidence.dtype == np.float32
            np.testing.assert_allclose(one.confidence, other.confidence, rtol=1e-5, atol=1e-5)
        else:
            assert one.confidence is None
    return found


def same(model, frames, confidence=False):
    """Compare the two engines on a model made for the purpose."""
    with engines(model) as (engine, reference):
        return compare(engine, reference, frames, confidence)


@pytest.fixture(scope='module')
def pair():
    """Both engines, of one small network."""
    with engines(random_model(width=32, depth=3, input_size=(70, 90), seed=1)) as both:
        yield both


def test_it_says_what_it_runs_on(pair, gpu):
    engine, _ = pair
    assert engine.name == 'cuda' and engine.device.endswith(f'(sm_{gpu})')


@pytest.mark.parametrize('name', shipped_models())
def test_shipped_models(name):
    model = load_model(shipped_models()[name])
    frames = [picture(model.input_size), picture((480, 641), seed=1)]
    for result in same(model, frames, confidence=True):
        # No crack need be in such pictures, but where one is least unlikely differs.
        assert len(np.unique(result.confidence)) > 100


@pytest.mark.parametrize('depth', [2, 3, 4, 5])
@pytest.mark.parametrize('width', [16, 32, 48, 64])
def test_random_networks(width, depth):
    for seed, size in enumerate([(64, 96), (61, 83)]):
        model = random_model(width=width, depth=depth, input_size=size, seed=seed + 10 * depth)
        (result,) = same(model, [picture(size, seed)])
        assert len(np.unique(result.labels)) > 1


@pytest.mark.parametrize('width', [1, 8, 20, 33, 65, 96, 128])
def test_widths_that_fill_no_words(width):
    same(random_model(width=width, depth=2, input_size=(36, 52), seed=width), [picture((36, 52))])


@pytest.mark.parametrize('planes', [1, 2])
@pytest.mark.parametrize('width', [16, 48, 64, 128])
def test_plans_of_one_kind(planes, width):
    shapes = layer_shapes(width, 3, 5)
    plan = {shape.name: planes for shape in shapes if shape.is_binary}
    model = random_model(width=width, depth=3, input_size=(72, 104), plan=plan, seed=planes)
    same(model, [picture((72, 104))])


@pytest.mark.parametrize('lowest', [0, -128])
@pytest.mark.parametrize('width', [16, 64, 128])
def test_heads_that_read_sums(width, lowest):
    model = random_model(width=width, depth=3, input_size=(72, 104), seed=width, lowest=lowest)
    (result,) = same(model, [picture((72, 104))], confidence=True)
    assert len(np.unique(result.labels)) > 1


@pytest.mark.parametrize('size', [(1, 1), (16, 16), (17, 15), (16, 700), (500, 16), (239, 321)])
def test_network_sizes(size):
    same(random_model(width=16, depth=4, input_size=size, seed=3), [picture(size, 5)], True)


@pytest.mark.parametrize('classes', [1, 2, 11, 19, 32, 33, 254])
def test_numbers_of_classes(classes):
    for width in (16, 64):
        model = random_model(width=width, classes=classes, input_size=(40, 56), seed=classes)
        same(model, [picture((40, 56))], confidence=True)


def test_ties_go_to_the_lowest_class():
    model = random_model(classes=6, seed=9)
    model.head.weight[:] = 1
    model.head.bias[:] = (0, 5, 3, 5, 5, 4)
    (result,) = same(model, [picture((64, 80))])
    assert (result.labels == 1).all()


def test_extreme_heads():
    model = random_model(classes=3, seed=4)
    model.head.bias[:] = (-(1 << 30), 1 << 30, 0)
    same(model, [picture((64, 80))], confidence=True)


def test_bits_that_are_constant():
    model = random_model(width=32, depth=2, input_size=(40, 56), seed=6)
    for layer in model.layers.values():
        layer.threshold.reshape(-1)[::3] = ALWAYS
        layer.threshold.reshape(-1)[1::3] = NEVER
    model.first.threshold[::4] = ALWAYS
    model.first.threshold[1::4] = NEVER
    same(model, [picture((40, 56))])


@pytest.mark.parametrize('seed', [0, 1])
def test_folded_networks_with_negative_and_zero_gammas(seed):
    random = np.random.default_rng(seed)
    shapes = layer_shapes(48, 3, 7)

    def norm(channels, scale):
        gamma = random.normal(0, 1, channels)
        gamma[::5] = 0
        assert (gamma < 0).any()
        beta, mean = random.normal(0, 0.3, (2, channels)) * [[1], [scale]]
        return BatchNorm(gamma, beta, mean, np.full(channels, float(scale) ** 2), 1e-5)

    layers = {}
    for shape in shapes:
        if shape.is_binary:
            taps, fan_in = TAPS[shape.kind], sum(shape.in_channels)
            planes = int(random.integers(1, 3))
            weight = random.integers(-1, 2, (shape.out_channels, taps, fan_in)).astype(np.int8)
            if planes == 1:
                weight[weight == 0] = -1
            scale = np.sqrt(fan_in * (9 if taps == 9 else 1))
            layers[shape.name] = fold_binary(shape, weight, planes, norm(shape.out_channels, scale))
    first = random.integers(-127, 128, (48, 3, 3, 3)).astype(np.int8)
    head = random.integers(-127, 128, (7, 48)).astype(np.int8)
    mean = (110, 120, 100)
    model = Model(
        name='folded',
        classes=ClassMap(tuple('abcdefg'), ((0, 0, 0),) * 7),
        input_size=(90, 121),
        mean=mean,
        width=48,
        depth=3,
        first=fold_first(first, np.full(48, 1e-4), mean, norm(48, 1.5)),
        layers=layers,
        head=fold_head(head, 0.01, random.normal(0, 1, 7)),
    )
    (result,) = same(model, [picture((90, 121), seed)])
    assert len(np.unique(result.labels)) > 1


@pytest.mark.parametrize(
    'size', [(70, 90), (1, 1), (3, 500), (480, 640), (479, 641), (720, 1280), (35, 45), (1081, 7)]
)
def test_camera_sizes(pair, size):
    compare(*pair, [picture(size, size[0])], confidence=True)


@pytest.mark.parametrize('batch', range(1, 10))
def test_batches(pair, batch):
    compare(*pair, [picture((70, 90), seed) for seed in range(batch)], confidence=batch % 2 == 0)


def test_batches_of_mixed_sizes(pair):
    sizes = [(70, 90), (64, 64), (240, 320), (33, 1), (70, 90), (100, 31)]
    compare(*pair, [picture(size, seed) for seed, size in enumerate(sizes)])
    assert pair[0].segment([]) == []


def test_sizes_back_and_forth(pair):
    for count, size in [(1, 50), (7, 300), (1, 50), (2, 300), (7, 300), (1, 51), (1, 50)]:
        compare(*pair, [picture((size, size + 3), seed) for seed in range(count)])


@pytest.mark.parametrize('encoding', [*ENCODINGS, 'rgb16', 'bayer_rggb8', 'nv21'])
@pytest.mark.parametrize('padding', [0, 7])
def test_camera_bytes(pair, encoding, padding):
    random = np.random.default_rng(padding)
    pixel_bytes = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'rgb16': 6}
    for encoding_two in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'):
        pixel_bytes[encoding_two] = 2
    frames = []
    for height, width in [(70, 90), (102, 64)]:
        step = width * pixel_bytes.get(encoding, 1) + padding
        rows = height * 3 // 2 if encoding.startswith('nv') else height
        data = random.integers(0, 256, rows * step, np.uint8)
        frames += [
            RawFrame(data, height, width, step, encoding),
            RawFrame(data.tobytes(), height, width, step, encoding),
        ]
    compare(*pair, frames)


def test_frames_of_any_strides(pair):
    frame = picture((140, 180))
    compare(*pair, [frame[::2, ::2], frame[::-1, ::-1, ::-1], frame.transpose(1, 0, 2)])


def test_results_are_the_callers(pair):
    engine, _ = pair
    (first,) = engine.segment([picture((70, 90), 1)])
    kept = first.labels.copy()
    engine.segment([picture((70, 90), 2)])
    np.testing.assert_array_equal(first.labels, kept)


def test_it_repeats_itself(pair):
    # A race would show now and then.
    engine, reference = pair
    frames = [picture((70, 90), seed) for seed in range(4)]
    expected = reference.segment(frames)
    for _ in range(100):
        for one, other in zip(engine.segment(frames), expected):
            np.testing.assert_array_equal(one.labels, other.labels)


def test_plain_launches_do_the_same(monkeypatch, pair):
    pytest.importorskip('cuda.bindings.driver', reason='cuda-bindings is missing')
    engine, reference = pair
    assert engine._parts.recorder.bindings is not None
    monkeypatch.setattr(graph, '_load_bindings', lambda: None)
    plain = CudaEngine(engine.model)
    try:
        assert plain._parts.recorder.bindings is None
        frames = [picture((70, 90)), picture((200, 100), 1)]
        compare(plain, reference, frames, confidence=True)
    finally:
        plain.close()


def test_the_network_alone(pair):
    engine, reference = pair
    frame = picture((200, 301))
    labels = reference.logits(resize_frame(frame, 70, 90)).argmax(axis=2)
    resized = resize_frame(frame, 70, 90)
    np.testing.assert_array_equal(engine.segment([resized])[0].labels, labels)


def test_a_session_measures_itself(pair):
    engine, reference = pair
    frame = picture((128, 160))
    session = engine.session((FrameFormat('rgb8', 128, 160, 480),) * 2, confidence=True)
    for index in range(2):
        session.fill(index, frame)
    session.run()
    assert all(time > 0 for time in session.stage_milliseconds().values())
    assert all(time > 0 for time in session.device_milliseconds(20))
    timed = session.launch_milliseconds(20)
    assert [launch for launch, _ in timed] == session.launches
    assert all(time > 0 for _, time in timed)
    session.enqueue_compute()
    session.synchronize()
    session.run()
    (expected,) = reference.segment([frame])
    for index in range(2):
        np.testing.assert_array_equal(session.mask(index), expected.labels)


def test_two_engines_in_one_thread(pair):
    engine, reference = pair
    frame = picture((70, 90))
    with engines(random_model(width=48, depth=2, input_size=(64, 100), seed=8)) as other:
        for _ in range(3):
            compare(*other, [frame])
            compare(engine, reference, [frame])
    compare(engine, reference, [frame])


def test_an_engine_in_each_of_two_threads():
    failures = []

    def work(seed):
        try:
            model = random_model(width=32, depth=2, input_size=(64, 80), seed=seed)
            with engines(model) as both:
                for step in range(20):
                    compare(*both, [picture((64 + step % 3, 80), step)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_another_thread_is_refused(pair):
    engine, reference = pair
    caught = []

    def use():
        for call in (lambda: engine.segment([picture((70, 90))]), engine.close):
            with pytest.raises(EngineError, match='thread that made it') as error:
                call()
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 2
    compare(engine, reference, [picture((70, 90))])


def test_closing_frees_the_memory(pair):
    holder, _ = pair  # keeps the context, so that only the other engine's memory comes and goes
    model = random_model(width=64, depth=4, input_size=(1024, 1024), seed=2)
    frame = picture((1024, 1024))
    free = []
    for _ in range(4):
        engine = CudaEngine(model)
        engine.segment([frame])
        during = holder._device.free_memory()[0]
        engine.close()
        engine.close()
        with pytest.raises(EngineError, match='closed'):
            engine.segment([frame])
        free.append(holder._device.free_memory()[0])
    taken = free[-1] - during
    assert taken > 20e6
    assert abs(free[-1] - free[1]) < taken / 4


def test_auto_takes_the_gpu_where_the_kernels_can():
    engine, reason = create_engine('auto', random_model())
    engine.close()
    assert engine.name == 'cuda' and 'GPU' in reason
    wide = random_model(width=130, depth=1, input_size=(16, 16))
    with pytest.raises(EngineUnavailable, match='width'):
        create_engine('cuda', wide)
    engine, reason = create_engine('auto', wide)
    engine.close()
    assert engine.name == 'reference' and 'width' in reason


PROGRAM = """
import sys, threading
import numpy as np
from mbu_ros.engine.cuda import CudaEngine
from mbu_ros.model.random import random_model

def work():
    global engine
    engine = CudaEngine(random_model())
    engine.segment([np.zeros((64, 80, 3), np.uint8)])

"""


@pytest.mark.parametrize(
    ('ending', 'code'),
    [
        ('work()', 0),
        ('work(); raise ValueError', 1),
        ('work(); sys.exit(5)', 5),
        ('t = threading.Thread(target=work); t.start(); t.join(); raise ValueError', 1),
        ('work()\nwith engine._device:\n    raise ValueError', 1),
        ('work(); engine.close(); engine = None; work()', 0),
    ],
)
def test_a_process_ends_as_it_should(ending, code):
    # PyCUDA aborts a process that ends with a context left current.
    result = subprocess.run(
        [sys.executable, '-c', PROGRAM + ending],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(SOURCE), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == code, result.stderr
    assert 'PyCUDA' not in result.stderr


def test_torch_shares_the_gpu(pair):
    torch = pytest.importorskip('torch', reason='PyTorch is missing')
    if not torch.cuda.is_available():
        pytest.skip('this PyTorch has no CUDA')
    engine, reference = pair
    a = torch.ones(100, device='cuda')
    compare(engine, reference, [picture((70, 90))])
    b = a * 2
    with engines(random_model(seed=3)) as other:
        compare(*other, [picture((70, 90))])
        b += a
    assert (b + a).sum().item() == 400
    compare(engine, reference, [picture((70, 90))])


def test_the_largest(gpu):
    model = random_model(width=64, depth=4, classes=19, input_size=(1024, 2048), seed=1)
    (result,) = same(model, [picture((1024, 2048))])
    assert len(np.unique(result.labels)) > 1
