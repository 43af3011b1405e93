# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels of a graph that may start early, and machines where they may not."""

import logging

import numpy as np
import pytest

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.engine import CudaEngine
from mbu_ros.engine.cuda.frame_format import FrameFormat

from .toy_network import expected

FORMATS = (FrameFormat('rgb8', 8, 12, 36),)


def check(engine):
    frame = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    (result,) = engine.segment([frame])
    np.testing.assert_array_equal(result.labels, expected(frame, engine.model))


@pytest.mark.parametrize('release', [12, 13])
def test_kernels_overlap_with_kernels_only(install, toy_model, release):
    gpu = install(bindings_release=release)
    engine = CudaEngine(toy_model)
    # In the whole frame there are marks between the three kernels; without them nothing is.
    assert gpu.overlaps == [[]]
    engine.session(FORMATS).enqueue_compute()
    assert gpu.overlaps == [[], [(0, 1), (1, 2)]]
    check(engine)
    engine.close()
    assert gpu.graphs == 0


def test_neighbours_of_one_stage_overlap(install, toy_model):
    gpu = install()
    engine = CudaEngine(toy_model)
    # Two kernels each resize frames and masks, and one is the network.
    engine.session(FORMATS * 2)
    assert gpu.overlaps[-1] == [(0, 1), (3, 4)]
    engine.close()


def test_older_gpus_are_not_asked(install, toy_model):
    gpu = install(capability=(8, 7))
    engine = CudaEngine(toy_model)
    engine.session(FORMATS).enqueue_compute()
    check(engine)
    assert gpu.overlaps == [[], []] and 'cuGraphGetEdges' not in gpu.calls
    engine.close()


CALLS = ['GetEdges', 'NodeGetType', 'RemoveDependencies', 'AddDependencies']


@pytest.mark.parametrize('how', ['fails', 'missing'])
@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize('release', [12, 13])
def test_without_a_call_kernels_run_one_after_the_other(
    install, toy_model, caplog, release, call, how
):
    gpu = install(bindings_release=release)
    suffix = '_v2' if release == 12 and 'Dependencies' in call else ''
    getattr(gpu, how).add(f'cuGraph{call}{suffix}')
    engine = CudaEngine(toy_model)
    session = engine.session(FORMATS * 2)
    session.enqueue_compute()
    check(engine)
    assert gpu.overlaps and not any(gpu.overlaps)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and 'do not overlap' in warnings[0].getMessage()
    engine.close()
    assert (gpu.graphs, gpu.used, gpu.stack) == (0, 0, [])


def test_bindings_that_know_of_no_edge_data(install, toy_model, caplog):
    gpu = install(bindings_release=12)
    del gpu.bindings.CUgraphEdgeData
    engine = CudaEngine(toy_model)
    engine.session(FORMATS).enqueue_compute()
    check(engine)
    assert gpu.overlaps == [[], []] and 'do not overlap' in caplog.text
    engine.close()


def test_a_driver_that_does_not_take_such_edges(install, toy_model, caplog):
    gpu = install()
    gpu.refuses_overlap = True
    engine = CudaEngine(toy_model)
    for _ in range(2):
        engine.session(FORMATS * 2).enqueue_compute()
    check(engine)
    assert not any(gpu.overlaps) and caplog.text.count('do not overlap') == 1
    engine.close()
    assert gpu.graphs == 0


def test_memory_that_is_short_is_another_matter(install, toy_model, caplog):
    gpu = install()
    gpu.short.add('cuGraphInstantiate')
    with pytest.raises(EngineUnavailable, match='more of GPU memory'):
        CudaEngine(toy_model)
    assert 'do not overlap' not in caplog.text and gpu.used == 0
