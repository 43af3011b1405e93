# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.errors import InputError  # noqa: E402
from mbu_ros.training.networks import NETWORKS  # noqa: E402
from mbu_ros.training.recipe import RECIPES  # noqa: E402
from mbu_ros.training.settings import Settings  # noqa: E402

STANDARD = RECIPES['standard']


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'width': 0}, 'width is 0; it must be 1 to'),
        ({'depth': 99}, 'depth is 99'),
        (
            {'recipe': STANDARD.with_values(['feature_loss=1', 'feature_level=3']), 'depth': 2},
            'feature_level is 3, but the networks are of depth 2',
        ),
        ({'minutes': 0}, 'minutes is 0'),
        ({'minutes': float('inf')}, 'minutes is inf'),
        ({'seed': -1}, 'seed is -1'),
        ({'budget': 0.5}, 'budget is 0.5'),
        ({'networks': ()}, 'no network to train'),
        ({'networks': ('float', 'binary', 'small')}, "no network 'small'"),
        ({'networks': ('float', 'chosen')}, "'chosen' needs 'masked'"),
    ],
)
def test_settings_out_of_range(change, text):
    with pytest.raises(InputError, match=text):
        Settings(**change)


def test_networks_share_the_minutes():
    settings = Settings(minutes=10)
    seconds = {name: settings.seconds(name) for name in settings.networks}
    assert list(seconds) == list(NETWORKS) and sum(seconds.values()) == pytest.approx(600)
    assert seconds['masked'] == seconds['binary'] == seconds['float_longer']
    two = Settings(minutes=10, networks=('masked', 'float'))
    assert two.networks == ('float', 'masked')
    assert two.seconds('float') + two.seconds('masked') == pytest.approx(600)
    assert two.seconds('masked') == pytest.approx(3.5 * two.seconds('float'))


def test_settings_survive_json():
    settings = Settings(recipe=RECIPES['quick'].with_values(['batch=3']), networks=('float',))
    assert Settings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
