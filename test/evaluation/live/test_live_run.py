# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live run means for its processes, and which runs are refused."""

import json

import pytest

from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.cameras import given_labels
from mbu_ros.evaluation.live.live_run import (
    LiveRun,
    evaluator_parameters,
    find_cameras,
    node_parameters,
    player_parameters,
    write_parameters,
)
from mbu_ros.evaluation.report.thresholds import Thresholds

from .bags import write_two_cameras


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_two_cameras(tmp_path_factory.mktemp('run') / 'bag', 1, compressed=True)


def test_the_node_is_told_of_its_cameras(bag):
    run = LiveRun(bag, 'synthetic', engine='reference')
    parameters = node_parameters(run, find_cameras(run))
    assert parameters['cameras'] == ['front', 'rear']
    assert parameters['front.transport'] == parameters['rear.transport'] == 'compressed'
    assert parameters['use_sim_time'] is True
    assert parameters['model'].endswith('synthetic.safetensors')
    assert parameters['engine'] == 'reference'


def test_what_is_left_empty_is_left_to_the_file_of_parameters(bag):
    run = LiveRun(bag, '', engine='', reliability='')
    parameters = node_parameters(run, find_cameras(run))
    assert not parameters.keys() & {'model', 'engine', 'reliability'}


def test_only_the_cameras_are_played(bag):
    run = LiveRun(bag, '', image_topics=['/rear/image_raw/compressed'], speed=2)
    parameters = player_parameters(run, find_cameras(run))
    assert parameters['topics'] == parameters['image_topics'] == ['/rear/image_raw/compressed']
    assert parameters['mask_topics'] == ['/segmentation/mask']
    assert parameters['speed'] == 2.0


def test_the_evaluator_gets_labels_limits_and_configuration(bag, tmp_path):
    limits = Thresholds(min_miou=0.5, max_drop=0.0)
    run = LiveRun(bag, '', report=tmp_path, thresholds=limits, boundary=())
    parameters = evaluator_parameters(run, find_cameras(run), tmp_path, player='x')
    assert parameters['label_topics'] == ['']  # those that it finds
    assert parameters['boundary'] == [0]
    chosen = (parameters['min_miou'], parameters['max_p95_ms'], parameters['max_drop'])
    assert chosen == (0.5, -1.0, 0.0)
    configuration = json.loads(parameters['configuration'])
    assert configuration['report'] == str(tmp_path)
    assert (configuration['min_miou'], configuration['player']) == (0.5, 'x')
    assert 'save_masks' not in configuration


def test_parameters_keep_their_types_in_the_file(tmp_path):
    write_parameters(tmp_path / 'p.yaml', 'segment', {'model': '123', 'speed': 1.0, 'n': ['']})
    text = (tmp_path / 'p.yaml').read_text()
    content = {'model': '123', 'speed': 1.0, 'n': ['']}
    assert json.loads(text) == {'/segment': {'ros__parameters': content}}


@pytest.mark.parametrize(
    'changes, text',
    [
        ({'speed': 0.0}, 'a speed of 0'),
        ({'speed': float('nan')}, 'a speed of nan'),
        ({'rate_hz': -1.0}, 'a rate of -1'),
        ({'cameras': ['front']}, '1 names for 2 cameras'),
        ({'image_topics': ['/left']}, 'no topic /left.*front/image_raw/compressed'),
    ],
)
def test_impossible_runs_are_refused(bag, changes, text):
    with pytest.raises(InputError, match=text):
        find_cameras(LiveRun(bag, '', **changes))


def test_a_missing_file_of_parameters_is_refused(bag, tmp_path):
    with pytest.raises(InputError, match='no such file of parameters'):
        find_cameras(LiveRun(bag, '', params_file=tmp_path / 'none.yaml'))


@pytest.mark.parametrize('labels', [('/rear/label', '/front/label'), ('', '/rear/label'), ('', '')])
def test_labels_that_are_refused_stay_refused(bag, tmp_path, labels):
    run = LiveRun(bag, '', label_topics=labels)
    cameras = find_cameras(run)
    assert [camera.label_topic for camera in cameras] == list(labels)
    told = evaluator_parameters(run, cameras, tmp_path)['label_topics']
    assert all(told)  # ROS has no list of empty texts that is not an empty list
    assert given_labels(told) == list(labels)
    assert given_labels(['']) == []
