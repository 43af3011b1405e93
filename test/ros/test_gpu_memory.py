# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory of a GPU through the node's life, on a GPU played by the CPU."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import fill_image
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model
from mbu_ros.node import diagnostics

from ..engine.cuda.conftest import install  # noqa: F401
from .workshop import make_node, spinning

SUCCESS = TransitionCallbackReturn.SUCCESS
NOTHING = (0, 0, 0, 0)


def held(gpu):
    """Bytes, contexts, graphs and events that somebody has."""
    return gpu.used, gpu.retained, gpu.graphs, gpu.events


@pytest.fixture
def files(tmp_path):
    paths = []
    for classes in (3, 5):
        paths.append(str(tmp_path / f'{classes}.safetensors'))
        save_model(random_model(input_size=(8, 12), depth=2, classes=classes), paths[-1])
    return paths


@pytest.fixture
def start(ros, install, files, monkeypatch, request):  # noqa: F811
    """Make the fake GPU, and the node, unconfigured."""
    # The fake has one stack of contexts for all threads: only one may be at work.
    monkeypatch.setattr(diagnostics, 'PERIOD_SECONDS', 3600.0)
    nodes = []

    def make(**options):
        gpu = install(**options)
        node = make_node(request.function.__name__, {'model': files[0], 'engine': 'cuda'})
        nodes.append(node)
        return gpu, node

    yield make
    for node in nodes:
        node.destroy_node()


def test_cleaning_up_frees_all(start, peer, wait_until):
    gpu, node = start()
    masks = peer.collect(Image, '/segmentation/mask')
    publisher = peer.node.create_publisher(Image, '/image', 10)
    message = Image()
    fill_image(message, np.zeros((20, 30, 3), np.uint8), 'rgb8')
    with spinning(node):
        for _ in range(3):
            assert held(gpu) == NOTHING
            assert node.trigger_configure() == SUCCESS
            configured = held(gpu)
            assert all(configured)
            assert node.trigger_activate() == SUCCESS
            before = len(masks)

            def another(before=before):
                publisher.publish(message)
                return len(masks) > before

            wait_until(another, 'a mask')
            assert node.trigger_deactivate() == SUCCESS
            active = held(gpu)
            assert active[0] > configured[0], 'deactivating keeps what frames needed'
            assert node.trigger_activate() == SUCCESS and held(gpu) == active
            assert node.trigger_deactivate() == SUCCESS
            assert node.trigger_cleanup() == SUCCESS
        assert held(gpu) == NOTHING


def test_a_change_of_the_model_frees_the_old_one(start, wait_until, files):
    gpu, node = start()
    with spinning(node):
        assert node.trigger_configure() == SUCCESS
        one = held(gpu)
        before = gpu.calls['retain']
        node.executor.create_task(
            lambda: node.set_parameters([Parameter('model', value=files[1])])
        )
        wait_until(lambda: node._pipeline.file.name == files[1], 'the change')
        wait_until(lambda: held(gpu)[1:] == one[1:], 'the end of the old engine')
        assert gpu.calls['retain'] == before + 1
        assert node.trigger_cleanup() == SUCCESS
    assert held(gpu) == NOTHING


@pytest.mark.parametrize('end', ['shutdown', 'destroy', 'error'])
def test_every_other_end_frees_all_too(start, monkeypatch, end):
    gpu, node = start()
    assert node.trigger_configure() == SUCCESS and all(held(gpu))
    if end == 'shutdown':
        assert node.trigger_shutdown() == SUCCESS
    elif end == 'destroy':
        node.release()
    else:
        monkeypatch.setattr(node._pipeline, 'start', lambda: 1 / 0)
        assert node.trigger_activate() == TransitionCallbackReturn.ERROR
    assert held(gpu) == NOTHING


@pytest.mark.parametrize('call', ['launch', 'cuGraphInstantiate', 'mem_alloc', 'Stream'])
def test_an_engine_that_fails_to_be_made_leaves_nothing(start, call, capfd):
    gpu, node = start()
    gpu.fails.add(call)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert held(gpu) == NOTHING
    assert "Cannot be configured: engine 'cuda': " in capfd.readouterr().err
    gpu.fails.clear()
    assert node.trigger_configure() == SUCCESS and all(held(gpu))


def test_a_gpu_that_is_too_small(start, capfd):
    gpu, node = start(memory=1000)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert held(gpu) == NOTHING
    assert 'memory' in capfd.readouterr().err
