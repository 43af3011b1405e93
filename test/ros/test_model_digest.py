# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter model_sha256: enforced when the node is configured and when its model changes."""

from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from mbu_ros.model.digest import sha256_of
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

from .workshop import make_node, spinning

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Two model files by their digests."""
    folder = tmp_path_factory.mktemp('models')
    found = {}
    for classes in (3, 4):
        path = folder / f'of_{classes}.safetensors'
        save_model(random_model(width=8, depth=1, classes=classes, input_size=(32, 48)), path)
        found[sha256_of(path)] = str(path)
    return found


@pytest.fixture
def start(ros, shop, request):
    """Make the node in this process; `shop` makes its engines."""
    nodes = []

    def make(**parameters):
        nodes.append(make_node(request.function.__name__, parameters))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def change(node, **values):
    return node.set_parameters_atomically(
        [Parameter(name, value=value) for name, value in values.items()]
    )


def test_a_start_with_another_file_fails_and_tells_both_digests(start, files, shop, capfd):
    (one, path), (two, _) = files.items()
    node = start(model=path, model_sha256=two)
    assert node.trigger_configure() == FAILURE and not shop.made
    log = capfd.readouterr().err
    assert one in log and two in log and path in log
    assert change(node, model_sha256=one).successful
    assert node.trigger_configure() == SUCCESS and shop.made


def test_a_file_that_was_exchanged_is_refused_at_the_next_start(start, files, shop, tmp_path):
    (one, first), (_, second) = files.items()
    path = tmp_path / 'model.safetensors'
    path.write_bytes(Path(first).read_bytes())
    node = start(model=str(path), model_sha256=one)
    assert node.trigger_configure() == SUCCESS
    path.write_bytes(Path(second).read_bytes())
    assert node.trigger_cleanup() == SUCCESS
    assert node.trigger_configure() == FAILURE and len(shop.made) == 1


def test_a_live_change_needs_the_digest_of_the_new_file(start, files, shop, wait_until):
    (one, first), (two, second) = files.items()
    node = start(model=first, model_sha256=one)
    assert node.start()
    result = change(node, model=second)
    assert not result.successful and one in result.reason and two in result.reason
    assert node.get_parameter('model').value == first and len(shop.made) == 1
    with spinning(node):
        assert change(node, model=second, model_sha256=two).successful
        wait_until(lambda: shop.closed, 'the end of the old engine')
        assert [len(engine.model.classes) for engine in shop.made] == [3, 4]


@pytest.fixture
def try_in_vain(start, files, shop, wait_until):
    """Start the node with the first model; change to the second and its digest, which fails."""

    def attempt(model_sha256):
        (_, first), (two, second) = files.items()
        node = start(model=first, model_sha256=model_sha256)
        assert node.start()
        shop.refusals = [MemoryError('full')]
        assert change(node, model=second, model_sha256=two).successful
        node._follow_model()  # which nothing calls, since nothing spins the node
        wait_until(lambda: node._pipeline._change.finished, 'the failure')
        node._follow_model()
        assert 'full' in node._pipeline.complaint
        assert node.get_parameter('model').value == first
        return node

    return attempt


def test_after_a_change_that_failed_the_node_can_be_configured_again(try_in_vain, files):
    one, first = next(iter(files.items()))
    node = try_in_vain(one)
    assert node.get_parameter('model_sha256').value == one
    assert node.trigger_deactivate() == SUCCESS and node.trigger_cleanup() == SUCCESS
    assert node.trigger_configure() == SUCCESS and node._pipeline.file.path == Path(first)


def test_a_change_that_failed_does_not_switch_the_digest_off(try_in_vain, files):
    node = try_in_vain('')
    assert node.get_parameter('model_sha256').value == list(files)[1]


def test_a_file_exchanged_after_it_was_accepted_does_not_run(
    start, files, shop, wait_until, tmp_path
):
    (one, first), (two, second) = files.items()
    path = tmp_path / 'model.safetensors'
    path.write_bytes(Path(second).read_bytes())
    node = start(model=first)
    assert node.start()
    assert change(node, model=str(path), model_sha256=two).successful
    path.write_bytes(Path(first).read_bytes())  # before the node goes on
    with spinning(node):
        wait_until(lambda: node._pipeline.complaint, 'the refusal')
        assert one in node._pipeline.complaint and two in node._pipeline.complaint
        wait_until(lambda: node.get_parameter('model').value == first, 'the old name')
        assert len(shop.made) == 1
