# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU that fails in mid-stream, played by the CPU, under the node with the CUDA engine.

Promised: while it fails, /diagnostics says ERROR and why, or an engine on the CPU takes over and
it says WARN; when it is back the stream goes on; nothing on the device is lost.
"""

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model
from mbu_ros.node import diagnostics, lasting

from ...engine.cuda.conftest import install  # noqa: F401
from ..workshop import make_node, spinning
from .support import streaming

OK, WARN, ERROR = 0, 1, 2


def memory_is_short(gpu):
    gpu.short.add('cuGraphLaunch')


def memory_is_taken_away(gpu):
    # As another process does that allocates all there is: the engine cannot be made again either.
    gpu.short |= {'cuGraphLaunch', 'mem_alloc'}


def kernel_fails(gpu):
    gpu.fails.add('cuGraphLaunch')


def context_is_lost(gpu):
    gpu.fails |= {'cuGraphLaunch', 'synchronize'}


def gpu_is_lost(gpu):
    gpu.fails |= {'cuGraphLaunch', 'synchronize', 'mem_get_info', 'retain', 'init'}
    gpu.devices = 0


FAULTS = {
    memory_is_short: 'out of memory',
    memory_is_taken_away: 'more of GPU memory',
    kernel_fails: 'refused a call',
    context_is_lost: 'context is lost',
    gpu_is_lost: 'finds no GPU',
}


def heal(gpu):
    gpu.fails.clear()
    gpu.short.clear()
    gpu.devices = 1


@pytest.fixture
def start(ros, install, tmp_path, monkeypatch, request):  # noqa: F811
    """Make the fake GPU and an active node on it; `start(engine)` gives both."""
    monkeypatch.setattr(diagnostics, 'PERIOD_SECONDS', 0.05)
    monkeypatch.setattr(lasting, 'RETURN_SECONDS', 0.3)
    path = tmp_path / 'small.safetensors'
    save_model(random_model(input_size=(8, 12), depth=2), path)
    contexts = []

    def make(engine):
        gpu = install(memory=1 << 20)
        node = make_node(request.function.__name__, {'model': str(path), 'engine': engine})
        assert node.start()
        contexts.append(spinning(node))
        contexts[-1].__enter__()
        return gpu, node

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.__name__)
def test_the_stream_goes_on(start, peer, wait_until, request, fault):
    gpu, node = start('cuda')
    with streaming(peer, node=request.function.__name__) as stream:
        stream.newer(wait_until)
        wait_until(lambda: stream.says(OK), stream.status)
        fault(gpu)
        wait_until(lambda: stream.says(ERROR, FAULTS[fault]), stream.status)
        heal(gpu)
        print(f'resumed after {stream.newer(wait_until):.2f} s')
        wait_until(lambda: stream.says(OK), stream.status)
    node.release()
    assert gpu.retained == 0 and not gpu.stack
    if fault not in (context_is_lost, gpu_is_lost):  # with the context goes all that was in it
        assert (gpu.used, gpu.graphs, gpu.events) == (0, 0, 0)


def test_the_cpu_stands_in_until_the_gpu_is_back(start, peer, wait_until, request):
    gpu, node = start('auto')
    with streaming(peer, node=request.function.__name__) as stream:
        stream.newer(wait_until)
        wait_until(lambda: stream.says(OK, 'cuda on Fake GPU'), stream.status)
        gpu_is_lost(gpu)
        wait_until(lambda: stream.says(WARN, 'it stands in for cuda'), stream.status)
        stream.newer(wait_until)
        heal(gpu)
        wait_until(lambda: stream.says(OK, 'cuda on Fake GPU'), stream.status)
        stream.newer(wait_until)
    node.release()
    assert gpu.retained == 0 and not gpu.stack
