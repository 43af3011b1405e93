# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.errors import InputError  # noqa: E402
from mbu_ros.network.unet import Precision  # noqa: E402
from mbu_ros.training.networks import NETWORKS, stages  # noqa: E402
from mbu_ros.training.recipe import RANGES, RECIPES, Recipe  # noqa: E402

STANDARD = RECIPES['standard']


def test_values_are_changed_by_name_and_of_their_type():
    changed = STANDARD.with_values(
        ['batch=16', 'averaging=0', 'compiled=False', 'activation_gradient=tanh']
    )
    assert (changed.batch, changed.averaging, changed.compiled) == (16, 0.0, False)
    assert changed.activation_gradient == 'tanh' and changed.learning_rate == 1e-3
    assert str(changed) == (
        'standard batch=16 averaging=0.0 activation_gradient=tanh compiled=False'
    )
    assert str(STANDARD) == 'standard' and STANDARD.with_values([]) == STANDARD


def test_patient_is_what_the_documentation_says():
    measured = STANDARD.with_values(
        [
            *('classmix=0.4', 'cutmix=0.4', 'averaging=0.9998', 'final_rate=0.1'),
            *('label_loss=0', 'mixup=0.3', 'color=0.1', 'contrast=0.3', 'brightness=0.2'),
            'noise=4',
        ]
    )
    patient = RECIPES['patient']
    names = {'name': patient.name, 'description': patient.description}
    assert dataclasses.replace(measured, **names) == patient


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        ('batch', "'batch' is no setting of a recipe; write KEY=VALUE with one of the keys float_"),
        ('name=mine', "'name=mine' is no setting"),
        ('batch=8.5', "batch is '8.5'; it must be a whole number from 1 to 4096"),
        ('batch=0', 'batch is 0; it must be 1 to 4096'),
        ('learning_rate=fast', "learning_rate is 'fast'; it must be a number from 1e-08 to 10"),
        ('learning_rate=nan', 'learning_rate is nan; it must be 1e-08 to 10'),
        ('compiled=1', "compiled is '1'; it must be true or false"),
        ('activation_gradient=relu', "is 'relu'; it must be one of quadratic, clip, tanh"),
        ('head_input=floats', "is 'floats'; it must be one of bits, relu, sums"),
        ('refit_steps=-1', 'refit_steps is -1; it must be 0 to 1e'),
        ('refit_steps=2.5', 'whole number'),
        ('zoom_min=2', 'zoom_min is 2.0, above zoom_max'),
        ('progressive=0.9', 'progressive 0.9; both are shares of the same time'),
    ],
)
def test_values_that_make_no_sense(value, text):
    with pytest.raises(InputError) as error:
        STANDARD.with_values([value])
    assert text in str(error.value)


def test_a_student_must_have_a_loss():
    with pytest.raises(InputError, match='all 0'):
        STANDARD.with_values(['label_loss=0', 'logit_loss=0', 'feature_loss=0'])


def test_every_number_has_a_range():
    numbers = {f.name for f in dataclasses.fields(Recipe) if f.type in ('int', 'float')}
    assert numbers == set(RANGES)
    for key, (low, high) in RANGES.items():
        for bad in (low - 1, high + 1):
            with pytest.raises(InputError, match=key):
                dataclasses.replace(STANDARD, **{key: bad})


def test_stages_of_each_network():
    recipe = STANDARD.with_values(['activation_stage=0.2', 'progressive=0.4'])
    for name in ('float', 'float_longer'):
        (stage,) = stages(NETWORKS[name], recipe)
        assert stage.precision is Precision.FLOAT and stage.weight_decay == 1e-2
    for name in ('masked', 'binary'):
        first, second = stages(NETWORKS[name], recipe)
        assert first.precision is Precision.BINARY_ACTIVATIONS and first.share == 0.2
        assert second.precision is Precision.QUANTIZED and second.share == 0.8
        assert second.blending == pytest.approx(0.5)  # 0.4 of the whole
        assert first.weight_decay == second.weight_decay == 0
    (chosen,) = stages(NETWORKS['chosen'], recipe)
    assert chosen.precision is Precision.QUANTIZED and chosen.share == 1 and not chosen.blending
    (at_once,) = stages(NETWORKS['masked'], recipe.with_values(['activation_stage=0']))
    assert at_once.share == 1 and at_once.blending == pytest.approx(0.4)
