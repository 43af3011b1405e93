# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What cannot be concluded is said before the bag is played."""

from types import SimpleNamespace

import pytest

from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.conclusion import Conclusion
from mbu_ros.evaluation.live.evaluator_settings import PARAMETERS
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
