# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA engine around its kernels, on a GPU that the CPU plays: see `fake_gpu`."""

import gc

import numpy as np
import pytest

from mbu_ros.engine.base import EngineError, RawFrame
from mbu_ros.engine.cuda import engine as engine_module
from mbu_ros.engine.cuda.engine import CudaEngine
from mbu_ros.engine.cuda.frame_format import FrameFormat
from mbu_ros.engine.cuda.sources import kernel_sources
from mbu_ros.errors import InputError

from .fake_gpu import view
from .toy_network import expected

SIZES = [(8, 12), (5, 7), (20, 9)]


def random_frame(size=(8, 12), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def check(engine, frames, **options):
    results = engine.segment(frames, **options)
    assert len(results) == len(frames)
    for frame, result in zip(frames, results):
        np.testing.assert_array_equal(result.labels, expected(frame, engine.model))
        assert set(result.milliseconds) == {'resize', 'network', 'mask'}
    return results


@pytest.fixture(params=['graphs', 'plain', 'integrated'])
def gpu(request, install):
    return install(bindings=request.param != 'plain', integrated=request.param == 'integrated')


@pytest.fixture
def engine(gpu, toy_model):
    engine = CudaEngine(toy_model)
    yield engine
    engine.close()
    assert (gpu.stack, gpu.used, gpu.retained, gpu.graphs, gpu.events) == ([], 0, 0, 0, 0)


def test_it_says_what_it_runs_on(engine):
    assert (engine.name, engine.device) == ('cuda', 'Fake GPU (sm_90)')


@pytest.mark.parametrize('size', SIZES)
def test_one_frame(engine, size):
    (result,) = check(engine, [random_frame(size)])
    assert result.confidence is None and result.labels.flags.writeable
    assert min(result.milliseconds.values()) > 0


def test_batches_of_mixed_sizes(engine):
    check(engine, [random_frame(size, seed) for seed, size in enumerate(SIZES)])


def test_a_large_batch_is_split_and_an_empty_one_is_nothing(engine):
    check(engine, [random_frame(SIZES[seed % 3], seed) for seed in range(19)])
    assert engine.segment([]) == []


def test_confidence(engine):
    frames = [random_frame(size) for size in SIZES]
    for result in check(engine, frames, confidence=True):
        assert result.confidence.shape == result.labels.shape
        assert result.confidence.dtype == np.float32 and (result.confidence == 0.25).all()
    check(engine, frames)


def test_sizes_back_and_forth(engine):
    # Activations of a batch of three do not fit where those of one were: they move.
    for count in (1, 3, 1, 2, 8, 1):
        check(engine, [random_frame(SIZES[i % 3], count + i) for i in range(count)])


def test_results_are_the_callers(engine):
    first, second = random_frame(seed=1), random_frame(seed=2)
    (result,) = engine.segment([first])
    engine.segment([second])
    np.testing.assert_array_equal(result.labels, expected(first, engine.model))


def test_frames_of_any_strides(engine):
    wide = random_frame((16, 24))
    check(engine, [wide[::2, ::2], wide[::-1, :, ::-1], wide.transpose(1, 0, 2)])


def test_raw_frames(engine):
    frame = random_frame()
    padded = np.pad(frame.reshape(8, 36), ((0, 0), (0, 5)), constant_values=9)
    for data in (padded.tobytes(), padded.reshape(-1), memoryview(padded.tobytes())):
        raw = RawFrame(data, 8, 12, 41, 'rgb8')
        result, array = engine.segment([raw, frame])
        np.testing.assert_array_equal(result.labels, expected(frame, engine.model))
        np.testing.assert_array_equal(array.labels, result.labels)


def test_an_encoding_that_kernels_do_not_read_is_converted_before(engine):
    frame = random_frame()
    words = (frame.astype('>u2') * 257).tobytes()
    raw = RawFrame(words, 8, 12, 72, 'rgb16', is_bigendian=1)
    (result,) = engine.segment([raw])
    np.testing.assert_array_equal(result.labels, expected(frame, engine.model))


@pytest.mark.parametrize(
    ('frame', 'text'),
    [
        (np.zeros((8, 12), np.uint8), 'shape'),
        (np.zeros((8, 12, 3), np.float32), 'uint8'),
        (np.zeros((0, 12, 3), np.uint8), 'empty'),
        (RawFrame(bytes(287), 8, 12, 36, 'rgb8'), '288 bytes'),
        (RawFrame(bytes(289), 8, 12, 36, 'rgb8'), '288 bytes'),
        (RawFrame(b'', 8, 12, 36, 'rgb8'), '288 bytes'),
        (RawFrame(bytes(280), 8, 12, 35, 'rgb8'), 'step'),
        (RawFrame(bytes(288), 8, 12, 36, 'jpeg2000'), 'encoding'),
        (RawFrame(bytes(88), 8, 11, 11, 'nv12'), 'even'),
        (RawFrame(np.zeros((8, 36), np.uint8), 8, 12, 36, 'rgb8'), 'one contiguous row'),
        (RawFrame(np.zeros(576, np.uint8)[::2], 8, 12, 36, 'rgb8'), 'one contiguous row'),
        (RawFrame(None, 8, 12, 36, 'rgb8'), 'buffer'),
    ],
)
def test_bad_frames_are_refused_and_the_next_is_taken(engine, frame, text):
    good = random_frame()
    check(engine, [good])
    with pytest.raises(InputError, match=text):
        engine.segment([good, frame])
    check(engine, [good, good])


def test_a_frame_costs_one_launch_of_a_graph(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    frames = [random_frame(size) for size in SIZES]
    engine.segment(frames)
    gpu.calls.clear()
    engine.segment(frames)
    times = gpu.calls.pop('cuEventElapsedTime')
    assert gpu.calls == {'cuGraphLaunch': 1, 'synchronize': 1} and times == 3
    engine.close()


def test_an_integrated_device_shares_its_memory(install, toy_model):
    gpu = install(integrated=True)
    engine = CudaEngine(toy_model)
    copies = gpu.calls['copy']
    check(engine, [random_frame()])
    check(engine, [random_frame((5, 7))])
    assert set(gpu.host_flags) == {2}  # mapped
    assert gpu.calls['copy'] == copies + 1  # the constants of the second session
    engine.close()


def test_parameters_are_uploaded_when_a_plan_first_reads_them(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    parameters = engine._parts.parameters
    assert set(parameters.addresses) == {'modulus'} and parameters.bytes == 256
    session = engine.session((FrameFormat('rgb8', 8, 12, 36),))
    tables = session.memory_bytes['parameters'] - 256
    assert tables == 512  # nearest neighbours of rows and of columns
    with engine._device:
        parameters.require(['modulus', 'unused'])
        parameters.require(['unused'])
    assert set(parameters.addresses) == {'modulus', 'unused'}
    assert parameters.bytes == 256 + 1280 and parameters.wanted == 0
    assert session.memory_bytes['parameters'] == 256 + 1280 + tables
    np.testing.assert_array_equal(view(parameters.addresses['modulus'], 1), [4])
    check(engine, [random_frame()])
    engine.close()
    assert gpu.used == 0 and parameters.bytes == 0


def test_no_frame_waits_for_a_compiler(engine, gpu):
    assert set(engine._parts.kernels._modules) == {'toy', *kernel_sources()}
    loaded = gpu.calls['module_from_buffer']
    engine.segment([random_frame(size) for size in SIZES], confidence=True)
    assert gpu.calls['module_from_buffer'] == loaded


def test_grey_bytes_of_either_name_are_read_by_the_gpu(engine, gpu, monkeypatch):
    def unread(*_):
        raise AssertionError('converted on the CPU')

    monkeypatch.setattr(engine_module, 'to_rgb', unread)
    for encoding in ('mono8', '8UC1'):
        form = FrameFormat(encoding, 8, 12, 12)
        assert (form.reader, form.bytes) == ('mono8', 96)
        with pytest.raises(EngineError, match='no kernel convert_mono8'):  # the toys have none
            engine.segment([RawFrame(bytes(96), 8, 12, 12, encoding)])


def test_sessions_unused_for_longest_make_room(engine, gpu):
    check(engine, [random_frame()])
    often_used = engine.session((FrameFormat('rgb8', 8, 12, 36),))
    used = []
    for width in range(100, 130):
        check(engine, [random_frame((10, width))])
        check(engine, [random_frame()])
        used.append(gpu.used)
    assert len(engine._sessions) == engine_module.MAX_SESSIONS
    assert engine.session(often_used.formats) is often_used
    assert used[0] < used[7] and max(used) < 1.5 * used[7]


def test_a_session_can_be_used_step_by_step(engine):
    frames = [random_frame(), random_frame((5, 7))]
    formats = tuple(FrameFormat('rgb8', h, w, 3 * w) for h, w, _ in map(np.shape, frames))
    session = engine.session(formats, confidence=True)
    assert engine.session(formats, True) is session
    for index, frame in enumerate(frames):
        session.fill(index, frame)
    session.run()
    session.enqueue_compute()
    session.synchronize()
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(session.mask(index), expected(frame, engine.model))
        assert (session.scores(index) == 0.25).all()
    assert list(session.stage_milliseconds()) == ['resize', 'network', 'mask']
    assert len(session.device_milliseconds(5)) == 5
    timed = session.launch_milliseconds(4)
    assert [launch for launch, _ in timed] == session.launches
    assert [launch.layer for launch, _ in timed] == ['resize'] * 2 + ['toy'] + ['mask'] * 4
    assert session.memory_bytes['frames'] == 512 + 256 + (256 + 256) + (512 + 256)
    assert session.memory_bytes['activations'] == 768 + 256 + 768
    with pytest.raises(InputError, match='288 bytes'):
        session.fill(0, frames[1])
    with pytest.raises(InputError, match='uint8 array, this is int8'):
        session.fill(0, frames[0].view(np.int8))


def test_an_engine_that_nobody_closed_gives_its_context_back(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    engine.segment([random_frame()])
    assert gpu.retained == 1 and not gpu.stack
    del engine
    gc.collect()
    assert gpu.retained == 0 and not gpu.stack


def test_a_session_with_no_parameters_of_its_own_leaves_none(install, toy_model):
    install()
    engine = CudaEngine(toy_model)
    parameters = engine._parts.parameters
    parts, size = len(parameters._parts), parameters.bytes
    for width in (12, 13, 14):
        engine.session((FrameFormat('rgb8', 8, width, 3 * width),))
    assert (len(parameters._parts), parameters.bytes) == (parts, size)
    engine.close()
