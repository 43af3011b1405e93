# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What cannot be concluded is said before the bag is played."""

from types import SimpleNamespace

import numpy as np
import pytest

from mbu_ros.bags.reader import BagReader
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.conclusion import Conclusion
from mbu_ros.evaluation.live.evaluator_settings import PARAMETERS
from mbu_ros.evaluation.live.node_state import NodeState
from mbu_ros.evaluation.live.recording import Recording
from mbu_ros.evaluation.mask_files import MaskFiles
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

from .bags import write_two_cameras

TOPICS = ['/front/image_raw', '/rear/image_raw']
LABELS = ['/front/label', '/rear/label']


@pytest.fixture
def settings(tmp_path):
    """The evaluator's parameters for a bag and a model of its classes."""
    save_model(random_model(width=8, classes=5), tmp_path / 'model.safetensors')
    defaults = {name: default for name, (default, _) in PARAMETERS.items()}
    bag = write_two_cameras(tmp_path / 'bag', 1)
    given = {'bag': str(bag), 'model': str(tmp_path / 'model.safetensors')}
    return SimpleNamespace(**{**defaults, **given})


def test_the_defaults_can_be_concluded(settings):
    Conclusion(settings, TOPICS, LABELS)


@pytest.mark.parametrize(
    'changes, text',
    [
        ({'model': 'unknown'}, "no model 'unknown'"),
        ({'against': 'synthetic'}, 'the models have different classes'),
        ({'min_miou': 2.0}, 'min-miou is 2'),
        ({'label_tolerance_ms': -1.0}, 'must not be negative'),
        ({'configuration': '[]'}, 'must be a JSON object'),
        ({'configuration': '{'}, 'is not JSON'),
        ({'write_bag': '/'}, 'exists already'),
        ({'json': '/'}, 'is a folder'),
        ({'report': '/dev/null/report'}, 'no folder to write to'),
    ],
)
def test_what_cannot_be_is_refused(settings, changes, text):
    vars(settings).update(changes)
    with pytest.raises(InputError, match=text):
        Conclusion(settings, TOPICS, LABELS)


def test_a_topic_that_the_bag_has_not_is_refused(settings):
    with pytest.raises(InputError, match='no topic /left.*front/image_raw'):
        Conclusion(settings, ['/left'], [''])


def concluded(settings, recording):
    conclusion = Conclusion(settings, TOPICS, LABELS)
    return conclusion.report(recording, NodeState(), sent=2, node_parameters={})


def test_masks_that_belong_to_no_image_say_why(settings, tmp_path):
    mask = np.zeros((60, 80), np.uint8)
    recording = Recording(TOPICS, MaskFiles(tmp_path / 'masks'))
    recording.add_mask(TOPICS[0], 1, mask, 5)
    recording.finish()
    with pytest.raises(InputError, match='none of the 1 masks.*the bag that was played'):
        concluded(settings, recording)
    recording = Recording(TOPICS, MaskFiles(tmp_path / 'masks'))
    for _ in range(2):
        recording.add_image(TOPICS[0], 0, 1)
    recording.add_mask(TOPICS[0], 0, mask, 5)
    recording.finish()
    with pytest.raises(InputError, match='1 images and masks.*stamps each image'):
        concluded(settings, recording)


def test_the_bag_gets_the_masks_of_the_images_that_were_judged(settings, tmp_path):
    settings.write_bag = str(tmp_path / 'out')
    recording = Recording(TOPICS, MaskFiles(tmp_path / 'masks'))
    for index, topic in enumerate(TOPICS):
        (sample,) = BagReader(settings.bag, topic).samples()
        recording.add_image(topic, sample.stamp, 1)
        recording.add_mask(topic, sample.stamp, np.full((60, 80), index, np.uint8), 5)
    (stamp,) = recording.cameras[TOPICS[0]].masks
    recording.add_image(TOPICS[0], stamp, 2)  # its mask is in doubt
    recording.finish()
    assert concluded(settings, recording) == 0
    topics = BagReader(tmp_path / 'out', '/rear/segmentation/mask', '').topics
    assert topics['/rear/segmentation/mask'].messages == 1
    assert '/front/segmentation/mask' not in topics
