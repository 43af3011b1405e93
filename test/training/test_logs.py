# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TensorBoard logs, read back with TensorBoard's own reader."""

import sys
import threading
import time

import cv2
import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.imaging.sheet import write_image
from mbu_ros.training.logs import SAMPLES, SCALARS, Logs

from .results import results


@pytest.fixture
def tensorboard():
    pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')
    pytest.importorskip('tensorboard', reason='comes with mbu_ros[train]')


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def scalars(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def test_each_network_has_its_scalars_and_its_samples(tensorboard, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    write_image(tmp_path / 'samples.png', picture)
    said, given = [], results()
    with Logs(tmp_path / 'logs', said.append) as logs:
        for network in ('float', 'masked'):
            logs.start(network)
            for point in given[network]['history']:
                logs.add({**point, 'images_per_second': 100.0})
            logs.add_samples(tmp_path / 'samples.png', 4000)
    assert said == []
    assert {path.name for path in (tmp_path / 'logs').iterdir()} == {'float', 'masked'}
    for network in ('float', 'masked'):
        events = read(tmp_path / 'logs' / network)
        assert set(events.Tags()['scalars']) == set(SCALARS)
        history = given[network]['history']
        losses = [(event.step, event.value) for event in events.Scalars('loss')]
        assert [step for step, _ in losses] == [point['step'] for point in history]
        np.testing.assert_allclose(
            [loss for _, loss in losses], [point['loss'] for point in history], rtol=1e-6
        )
        # Only where it was measured.
        measured = [point for point in history if point['val_miou'] is not None]
        assert len(events.Scalars('val_miou')) == len(measured) < len(history)
        (image,) = events.Images(SAMPLES)
        encoded = np.frombuffer(image.encoded_image_string, np.uint8)
        shown = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        assert image.step == 4000 and (shown == picture).all()


def test_a_network_that_has_ended_is_on_disk_and_leaves_no_thread(tensorboard, tmp_path):
    before = threading.active_count()
    with Logs(tmp_path, print) as logs:
        logs.start('float')
        logs.add({'step': 1, 'loss': 1.0})
        during = threading.active_count()
        logs.start('masked')
        assert scalars(tmp_path / 'float', 'loss') == [(1, 1.0)]
        assert threading.active_count() == during
    assert threading.active_count() == before


def test_a_resumed_network_shows_each_step_once(tensorboard, tmp_path):
    logs = Logs(tmp_path, print)
    logs.start('float')
    for step in range(10):
        logs.add({'step': step, 'loss': 1.0})
    logs.close()  # killed, with a checkpoint of step 6
    # TensorBoard orders files by second, then process, then a count, of which 10 is before 9.
    time.sleep(1.1)
    with Logs(tmp_path, print) as logs:
        logs.start('float', 6)
        for step in range(6, 12):
            logs.add({'step': step, 'loss': 2.0})
    shown = scalars(tmp_path / 'float', 'loss')
    assert shown == [(step, 1.0 if step < 6 else 2.0) for step in range(12)]


@pytest.mark.parametrize('module', ['torch.utils.tensorboard', 'PIL'])
def test_without_tensorboard_one_message_says_so_and_training_goes_on(
    module, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    said = []
    with Logs(tmp_path / 'logs', said.append) as logs:
        for network in ('float', 'masked'):
            logs.start(network)
            logs.add({'step': 1, 'loss': 1.0})
            logs.add_samples(tmp_path / 'samples.png', 1)
    assert said == [
        "No TensorBoard logs: TensorBoard or Pillow is not installed; pip install 'mbu_ros[train]'"
    ]
    assert not (tmp_path / 'logs').exists()


def test_points_before_a_network_started_are_not_written(tensorboard, tmp_path):
    logs = Logs(tmp_path / 'logs', print)
    logs.add({'step': 1, 'loss': 1.0})
    logs.close()
    logs.close()
    assert not (tmp_path / 'logs').exists()


def test_logs_that_cannot_be_written(tensorboard, tmp_path):
    (tmp_path / 'file').write_text('')
    logs = Logs(tmp_path / 'file', print)
    with pytest.raises(InputError, match='file/float: cannot be written'):
        logs.start('float')
