# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the CUDA engine says and leaves behind when something is missing or fails."""

import importlib
import logging
import threading

import numpy as np
import pytest

from mbu_ros.engine import select
from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.engine.cuda import kernels, parameters
from mbu_ros.engine.cuda.driver import present_architectures
from mbu_ros.engine.cuda.engine import CudaEngine
from mbu_ros.model.random import random_model

FRAME = np.zeros((8, 12, 3), np.uint8)


def unavailable(model, text, **options):
    with pytest.raises(EngineUnavailable, match=text):
        CudaEngine(model, **options)


def nothing_left(gpu):
    assert (gpu.stack, gpu.used, gpu.retained, gpu.graphs, gpu.events) == ([], 0, 0, 0, 0)
    return True


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (ModuleNotFoundError("No module named 'pycuda'"), r'not installed.*pip install'),
        (ImportError('libcuda.so.1: cannot open shared object file'), r'no NVIDIA driver'),
        (ImportError('numpy.core.multiarray failed to import'), r'does not fit.*force-reinstall'),
    ],
)
def test_without_pycuda_or_driver(monkeypatch, toy_model, error, text):
    def fail(name):
        raise error

    monkeypatch.setattr(importlib, 'import_module', fail)
    unavailable(toy_model, text)
    engine, reason = select.create_engine('auto', toy_model)
    assert engine.name == 'reference'
    assert str(error) in reason
    with pytest.raises(EngineUnavailable, match='choose auto or reference'):
        select.create_engine('cuda', toy_model)


@pytest.mark.parametrize(
    ('options', 'index', 'text'),
    [
        ({'devices': 0}, 0, 'lists no GPU'),
        ({}, 1, 'no GPU 1; this machine has 0 to 0'),
        ({}, -1, 'no GPU -1'),
        ({'capability': (7, 5)}, 0, r'compute capability 7\.5.*need 8\.0'),
        ({'memory': 100}, 0, r'needs 0 MB more of GPU memory'),
        ({'memory': 2000}, 0, r'needs 0 MB more of GPU memory'),
    ],
)
def test_a_gpu_that_does_not_do(install, toy_model, options, index, text):
    gpu = install(**options)
    unavailable(toy_model, text, device_index=index)
    assert nothing_left(gpu)
    if index == 0:
        engine, reason = select.create_engine('auto', toy_model)
        assert engine.name == 'reference' and 'Fake GPU' in reason + 'lists no Fake GPU'


def test_architectures_that_are_present(install):
    install(capability=(8, 7), devices=2)
    assert present_architectures() == [87]
    install(devices=0)
    with pytest.raises(EngineUnavailable, match='lists no GPU'):
        present_architectures()


def test_a_model_too_wide_is_refused_before_anything_is_made(install):
    gpu = install()
    unavailable(random_model(width=130, depth=1, input_size=(8, 12)), 'width 128, this has 130')
    assert not gpu.calls


@pytest.mark.parametrize(
    ('call', 'text'),
    [
        ('init', 'finds no GPU.*nvidia-smi'),
        ('retain', 'gives this process no context'),
        ('Stream', 'Stream failed'),
        ('mem_alloc', 'mem_alloc failed'),
        ('copy', 'copy failed'),
        ('module_from_buffer', 'does not load kernel.*update'),
        ('pagelocked_empty', 'pagelocked_empty failed'),
        ('cuEventCreate', 'CUDA_ERROR_INVALID_VALUE'),
        ('launch', 'kernel convert_rgb8 of resize_input .*launch failed'),
        ('cuStreamBeginCapture', 'CUDA_ERROR_INVALID_VALUE'),
        ('cuEventRecordWithFlags', 'CUDA_ERROR_INVALID_VALUE'),
        ('cuStreamEndCapture', 'CUDA_ERROR_INVALID_VALUE'),
        ('cuGraphInstantiate', 'CUDA_ERROR_INVALID_VALUE'),
    ],
)
def test_making_one_fails_half_way(install, toy_model, call, text):
    gpu = install()
    gpu.fails.add(call)
    unavailable(toy_model, text)
    assert nothing_left(gpu)
    gpu.fails.clear()
    gpu.capturing = None
    engine = CudaEngine(toy_model)
    engine.segment([FRAME])
    engine.close()
    assert nothing_left(gpu)


def test_kernels_that_do_not_compile(install, toy_model, monkeypatch):
    gpu = install()

    def fail(names, architecture):
        raise EngineUnavailable('resize_input.cu does not compile')

    monkeypatch.setattr(kernels, 'load_cubins', fail)
    unavailable(toy_model, 'does not compile')
    assert nothing_left(gpu)
    engine, reason = select.create_engine('auto', toy_model)
    assert engine.name == 'reference' and 'does not compile' in reason


def test_an_interrupt_while_it_is_made(install, toy_model, monkeypatch):
    gpu = install()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels, 'load_cubins', interrupt)
    with pytest.raises(KeyboardInterrupt):
        CudaEngine(toy_model)
    assert nothing_left(gpu)


def test_a_newer_gpu_is_said_to_be_slow(install, toy_model, caplog):
    install(capability=(12, 0))
    engine = CudaEngine(toy_model)
    assert engine.device == 'Fake GPU (sm_120)'
    assert 'no binary Tensor Cores' in caplog.text and 'slow' in caplog.text
    engine.close()


def test_missing_graphs_are_mentioned_once(install, toy_model, caplog):
    install(bindings=False)
    for _ in range(2):
        CudaEngine(toy_model).close()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and 'cuda-bindings' in warnings[0].getMessage()


def test_a_model_larger_than_the_memory(install, toy_model, monkeypatch):
    gpu = install()
    large = np.zeros(3_000_000, np.uint8)
    monkeypatch.setattr(parameters, 'network_constant', lambda model, name: large)
    unavailable(toy_model, 'needs 3 MB more of GPU memory, 1 MB of 1 MB are free')
    assert nothing_left(gpu)


def test_memory_short_for_a_new_size_is_taken_from_others(install, toy_model):
    gpu = install(memory=50_000)
    engine = CudaEngine(toy_model)
    for height in (30, 40, 50, 60):
        assert engine.segment([np.zeros((height, 100, 3), np.uint8)])[0].labels.shape[0] == height
    with pytest.raises(EngineError, match='more of GPU memory.*smaller model'):
        engine.segment([np.zeros((300, 100, 3), np.uint8)])
    assert not gpu.stack
    assert engine.segment([FRAME])[0].labels.shape == (8, 12)
    engine.close()
    assert nothing_left(gpu)


def test_memory_of_a_large_batch_is_given_up_for_a_large_frame(install, toy_model):
    install(memory=30_000)
    engine = CudaEngine(toy_model)
    assert len(engine.segment([FRAME] * 8)) == 8
    assert engine.segment([np.zeros((60, 100, 3), np.uint8)])[0].labels.shape == (60, 100)
    engine.close()


def test_a_session_given_up_for_memory_says_so(install, toy_model):
    install(memory=48_000)
    engine = CudaEngine(toy_model)
    first = engine.session(next(iter(engine._sessions.values())).formats)
    for height in (50, 60):
        engine.segment([np.zeros((height, 100, 3), np.uint8)])
    for use in (first.run, first.enqueue_compute, lambda: first.fill(0, FRAME)):
        with pytest.raises(EngineError, match='ask the engine for it again'):
            use()
    again = engine.session(first.formats)
    again.fill(0, FRAME)
    again.run()
    engine.close()


def test_another_thread_is_refused(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    session = engine.session(next(iter(engine._sessions.values())).formats)
    caught = []

    def use():
        for call in (lambda: engine.segment([FRAME]), engine.close, session.run):
            try:
                call()
            except EngineError as error:
                caught.append(str(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 3 and all('thread that made it' in text for text in caught)
    engine.segment([FRAME])
    engine.close()
    assert nothing_left(gpu)


def test_a_closed_engine_refuses_and_may_be_closed_again(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    session = engine.session(next(iter(engine._sessions.values())).formats)
    engine.close()
    engine.close()
    for use in (lambda: engine.segment([FRAME]), lambda: engine.segment([]), session.run):
        with pytest.raises(EngineError, match='closed'):
            use()
    assert nothing_left(gpu)


def test_a_call_that_fails_once(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    gpu.fails.add('cuGraphLaunch')
    with pytest.raises(EngineError, match='Fake GPU refused a call'):
        engine.segment([FRAME])
    assert not gpu.stack
    gpu.fails.clear()
    engine.segment([FRAME])
    engine.close()
    assert nothing_left(gpu)


def test_memory_that_runs_short_in_mid_stream(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    gpu.short.add('cuGraphLaunch')
    with pytest.raises(EngineError, match=r'out of memory \(1 MB of 1 MB are free\)'):
        engine.segment([FRAME])
    gpu.short.clear()
    engine.segment([FRAME])
    gpu.short.add('cuGraphLaunch')
    gpu.fails.add('mem_get_info')
    with pytest.raises(EngineError, match='context is lost'):
        engine.segment([FRAME])
    engine.close()
    assert gpu.retained == 0 and not gpu.stack


def test_a_context_that_is_lost(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    gpu.fails |= {'cuGraphLaunch', 'synchronize'}
    for _ in range(2):
        with pytest.raises(EngineError, match='context is lost.*make a new one'):
            engine.segment([FRAME])
    assert gpu.calls['cuGraphLaunch'] == 1 and not gpu.stack
    engine.close()
    assert gpu.retained == 0 and not gpu.stack
