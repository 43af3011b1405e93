# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Another model while frames come: the stream goes on, and every mask is of one of the models."""

import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.imaging.messages import fill_image, to_label
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

from .workshop import make_node, spinning

RATE = 30
MAKING_SECONDS = 0.4
"""How long an engine takes to be made."""
LONGEST_GAP = 12
"""Frames without a mask in a row, on machines that do much else; elsewhere it is 0 to 2."""
SUCCESS = TransitionCallbackReturn.SUCCESS
RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)


def save(folder, classes):
    path = folder / f'of_{classes}.safetensors'
    save_model(random_model(width=8, depth=1, classes=classes, input_size=(32, 48)), path)
    return str(path)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Models by the number of their classes, which is what masks of `Workshop` are full of."""
    folder = tmp_path_factory.mktemp('models')
    return {classes: save(folder, classes) for classes in (3, 4, 5)}


@pytest.fixture
def node(ros, shop, files, request):
    """The node, active in this process with the model of 3 classes, under the test's own name."""
    name = request.function.__name__
    node = make_node(name, {'model': files[3], 'reliability': 'reliable', 'queue_depth': 50})
    assert node.start()
    shop.making = MAKING_SECONDS
    with spinning(node):
        yield node


class Stream:
    """Publishes frames at `RATE` and collects the masks: pixels by the number of the frame."""

    def __init__(self, peer, wait_until, pixels=lambda number: np.zeros((20, 30, 3), np.uint8)):
        self.peer, self.wait_until, self.pixels = peer, wait_until, pixels
        self.masks = {}
        self.sent = 0
        peer.node.create_subscription(Image, '/segmentation/mask', self._take, RELIABLE)
        self.publisher = peer.publisher(Image, '/image', RELIABLE)
        self.thread = threading.Thread(target=self._publish)
        self.stopped = threading.Event()

    def __enter__(self):
        self.thread.start()
        self.wait_until(lambda: self.masks, 'a mask')
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def _take(self, mask):
        self.masks[mask.header.stamp.sec] = to_label(mask)

    def _publish(self):
        while not self.stopped.wait(1 / RATE):
            message = Image()
            self.sent += 1
            message.header.stamp.sec = self.sent
            fill_image(message, self.pixels(self.sent), 'rgb8')
            self.publisher.publish(message)

    def labels(self):
        """What the masks are full of, in the order of frames."""
        found = [np.unique(self.masks[number]) for number in sorted(self.masks)]
        assert all(len(labels) == 1 for labels in found)
        return [int(labels[0]) for labels in found]

    def go_on(self, count=10):
        """Wait for more masks; how many there were before."""
        before = len(self.masks)
        self.wait_until(lambda: len(self.masks) >= before + count, f'{count} more masks')
        return before

    def more(self, count=10):
        """Wait for more masks; what those are full of."""
        before = self.go_on(count)
        return set(self.labels()[before:])

    def longest_gap(self):
        """Frames in a row without a mask."""
        return max(np.diff(sorted(self.masks)), default=1) - 1


def set_model(peer, node_name, name):
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=name)
    request = SetParameters.Request(parameters=[Parameter(name='model', value=value)])
    return peer.call(SetParameters, f'/{node_name}/set_parameters', request).results[0]


def get(peer, node_name, *names):
    request = GetParameters.Request(names=names)
    values = peer.call(GetParameters, f'/{node_name}/get_parameters', request).values
    return [
        value.string_value or list(value.string_array_value) or list(value.integer_array_value)
        for value in values
    ]


def engine_status(arrays, node_name):
    found = [s for a in list(arrays) for s in a.status if s.name == f'{node_name}: engine']
    return found[-1] if found else None


@pytest.mark.alone
def test_the_stream_goes_on_through_a_change(node, shop, peer, wait_until, files):
    name = node.get_name()
    shop.making = 4 * LONGEST_GAP / RATE
    arrays = peer.collect(DiagnosticArray, '/diagnostics')

    def told(key):
        status = engine_status(arrays, name)
        return {item.key: item.value for item in status.values}[key] if status else ''

    with Stream(peer, wait_until) as stream:
        assert stream.more() == {3}
        assert get(peer, name, 'class_names') == [['class0', 'class1', 'class2']]
        assert set_model(peer, name, files[5]).successful
        assert stream.more(5) == {3} and len(shop.made) == 1, 'the old one goes on meanwhile'
        wait_until(lambda: 5 in stream.labels(), 'a mask of the new model')
        assert stream.more() == {5}
        labels = stream.labels()
        assert labels == sorted(labels), 'none of the old model after one of the new'
        assert stream.longest_gap() <= LONGEST_GAP
        wait_until(lambda: shop.closed, 'the end of the old engine')
        assert shop.closed == shop.made[:1] and len(shop.made) == 2
        names, colors, model = get(peer, name, 'class_names', 'class_colors', 'model')
        assert names == [f'class{i}' for i in range(5)] and model == files[5]
        expected = random_model(width=8, depth=1, classes=5, input_size=(32, 48)).classes.colors
        assert colors == [value for color in expected for value in color]
        wait_until(lambda: told('Model file') == files[5], 'the model in the diagnostics')
        assert told('Classes').startswith('5: class0, ')
    counts = node._pipeline.cameras[0].statistics.summary()
    assert counts.dropped['engine'] == counts.dropped['bad'] == 0
    assert node.trigger_deactivate() == SUCCESS and node.trigger_cleanup() == SUCCESS
    assert shop.closed == shop.made
    assert get(peer, name, 'class_names') == [[]]


def test_a_model_that_cannot_be_read_is_refused(node, shop, peer, wait_until, files, tmp_path):
    name = node.get_name()
    broken = tmp_path / 'broken.safetensors'
    broken.write_bytes(Path(files[5]).read_bytes()[:-100])
    for model, words in ((str(broken), str(broken)), ('no_such_model', "no model 'no_such_model'")):
        result = set_model(peer, name, model)
        assert not result.successful and words in result.reason
    assert get(peer, name, 'model') == [files[3]]
    with Stream(peer, wait_until) as stream:
        assert stream.more() == {3}
    assert len(shop.made) == 1 and not shop.closed


def test_a_model_that_cannot_run_leaves_the_old_one(node, shop, peer, wait_until, files, capfd):
    name = node.get_name()
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    shop.refusals = [EngineUnavailable('the GPU is full')]
    with Stream(peer, wait_until) as stream:
        assert set_model(peer, name, files[5]).successful

        def complaint():
            status = engine_status(arrays, name)
            return status if status and status.level == DiagnosticStatus.WARN else None

        status = wait_until(complaint, 'a warning')
        assert 'cannot run: the GPU is full' in status.message and 'goes on' in status.message
        assert get(peer, name, 'model') == [files[3]]
        assert stream.more() == {3} and len(shop.made) == 1
        assert 'cannot run: the GPU is full' in capfd.readouterr().err

        assert set_model(peer, name, files[4]).successful
        wait_until(lambda: 4 in stream.labels(), 'a mask of the new model')
        wait_until(lambda: not complaint(), 'the end of the warning')
    assert get(peer, name, 'model') == [files[4]]


def test_a_change_does_not_leave_the_gpu(node, shop, peer, wait_until, files):
    name = node.get_name()
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    shop.kinds = ['reference', 'cuda']
    assert set_model(peer, name, files[5]).successful
    wait_until(lambda: shop.closed, 'the end of the engine on the CPU')
    status = wait_until(
        lambda: (s := engine_status(arrays, name)) and s.level == DiagnosticStatus.WARN and s,
        'a warning',
    )
    assert 'cannot run: on fake device: reference was there' in status.message
    assert get(peer, name, 'model') == [files[3]]
    assert set_model(peer, name, files[4]).successful
    wait_until(lambda: len(shop.closed) == 2, 'the change')
    assert [engine.name for engine in shop.closed] == ['reference', 'fake']


def test_of_two_changes_the_last_one_counts(node, shop, peer, wait_until, files):
    name = node.get_name()
    with Stream(peer, wait_until) as stream:
        for classes in (4, 5, 4, 5):
            assert set_model(peer, name, files[classes]).successful
        wait_until(lambda: 5 in stream.labels(), 'a mask of the last model')
        assert stream.more() == {5}
    assert [len(engine.model.classes) for engine in shop.made] == [3, 4, 5]
    wait_until(lambda: len(shop.closed) == 2, 'the end of the others')
    assert {len(engine.model.classes) for engine in shop.closed} == {3, 4}


def test_taking_a_change_back_leaves_the_old_engine(node, shop, peer, wait_until, files):
    name = node.get_name()
    with Stream(peer, wait_until) as stream:
        assert set_model(peer, name, files[4]).successful
        assert set_model(peer, name, files[3]).successful
        wait_until(lambda: shop.closed, 'the end of the new engine')
        assert stream.more() == {3} and set(stream.labels()) == {3}
    assert shop.closed == shop.made[1:] and len(shop.made) == 2


def test_the_same_name_reads_a_file_that_was_written_again(
    node, shop, peer, wait_until, files, tmp_path
):
    name = node.get_name()
    shop.making = 0.0
    path = tmp_path / 'latest.safetensors'
    with Stream(peer, wait_until) as stream:
        for classes in (4, 5):
            path.write_bytes(Path(files[classes]).read_bytes())
            assert set_model(peer, name, str(path)).successful
            wait_until(lambda count=classes: count in stream.labels(), 'a mask of the new file')
        made = len(shop.made)
        assert set_model(peer, name, str(path)).successful
        assert stream.more() == {5}
    assert len(shop.made) == made, 'nothing is made for a file that is as it was'


def test_the_end_comes_while_a_model_is_made(node, shop, peer, wait_until, files):
    with Stream(peer, wait_until):
        assert set_model(peer, node.get_name(), files[5]).successful
        wait_until(lambda: node._pipeline.coming == files[5], 'the change')
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
        assert len(shop.made) == 2 and set(shop.closed) == set(shop.made)


def test_a_change_while_the_node_is_not_active(node, shop, peer, wait_until, files):
    name = node.get_name()
    shop.making = 0.0
    assert node.trigger_deactivate() == SUCCESS
    assert set_model(peer, name, files[4]).successful
    wait_until(lambda: shop.closed, 'the end of the old engine')
    assert node.trigger_activate() == SUCCESS
    with Stream(peer, wait_until) as stream:
        assert stream.more() == {4}
        assert node.trigger_deactivate() == SUCCESS and node.trigger_cleanup() == SUCCESS
        assert not set_model(peer, name, 'no_such_model').successful
        assert set_model(peer, name, files[5]).successful
        assert len(shop.made) == 2, 'made when the node is configured'
        assert node.start()
        wait_until(lambda: 5 in stream.labels(), 'a mask of the new model')


def test_masks_of_the_real_engine_before_and_after(
    start_node, peer, wait_until, tmp_path
):
    models = [random_model(width=8, depth=1, input_size=(32, 48), seed=seed) for seed in (1, 2)]
    paths = [tmp_path / f'{index}.safetensors' for index in range(2)]
    for model, path in zip(models, paths):
        save_model(model, path)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 20, 30, 3), np.uint8)
    process = start_node(
        'mbu_ros.node.segment_node',
        {'model': paths[0], 'engine': 'reference', 'reliability': 'reliable', 'queue_depth': 50},
    )
    process.wait_for('Active')
    with Stream(peer, wait_until, lambda number: images[number % 2]) as stream:
        stream.go_on()
        assert set_model(peer, 'segment', str(paths[1])).successful
        process.wait_for(f'from {paths[1]}')
        stream.go_on()
    expected = [[ReferenceEngine(m).segment([i])[0].labels for i in images] for m in models]
    assert not np.array_equal(expected[0][0], expected[1][0])
    which = []
    for number in sorted(stream.masks):
        mask = stream.masks[number]
        matches = [np.array_equal(mask, of[number % 2]) for of in expected]
        assert sum(matches) == 1
        which.append(matches.index(True))
    assert which == sorted(which) and set(which) == {0, 1}
    assert process.stop() == 0
    assert 'Traceback' not in process.output
