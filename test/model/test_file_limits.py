# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The bounds of what a model file may say: what lies on them is taken, what lies beyond is not."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.model.deployed import BinaryLayer, Head
from mbu_ros.model.file import load_model, save_model
from mbu_ros.model.random import random_model


def with_classes(count):
    """A model of so many classes."""
    model = random_model(width=1, depth=1)
    classes = ClassMap(tuple(map(str, range(count))), ((0, 128, 255),) * count)
    head = Head(np.zeros((count, 1), np.int8), np.zeros(count, np.int32), 1.0)
    return dataclasses.replace(model, classes=classes, head=head)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'model.safetensors'


@pytest.mark.parametrize(
    'change',
    [
        {'mean': (0, 255, 0)},
        {'input_size': (1, 1)},
        {'input_size': (16384, 16384)},
        {'scale': 1e-9},
        {'scale': 999999.9},
        {'bias': np.full(5, 1 << 30, np.int32)},
        {'bias': np.full(5, -(1 << 30), np.int32)},
    ],
    ids=str,
)
def test_what_lies_on_a_bound_is_taken(path, change):
    model = random_model(width=1, depth=1)
    if 'scale' in change or 'bias' in change:
        change = {'head': dataclasses.replace(model.head, **change)}
    model = dataclasses.replace(model, **change)
    save_model(model, path)
    loaded = load_model(path)
    assert (loaded.mean, loaded.input_size) == (model.mean, model.input_size)
    assert loaded.head.scale == model.head.scale
    np.testing.assert_array_equal(loaded.head.bias, model.head.bias)


@pytest.mark.parametrize('shape', [{'width': 512, 'depth': 1}, {'width': 1, 'depth': 6}], ids=str)
def test_the_largest_shapes_are_taken(path, shape):
    save_model(random_model(**shape), path)
    loaded = load_model(path)
    assert {'width': loaded.width, 'depth': loaded.depth} == shape


@pytest.mark.parametrize('count', [1, 254])
def test_numbers_of_classes_that_fit_eight_bits(path, count):
    save_model(with_classes(count), path)
    assert len(load_model(path).classes) == count


def test_255_classes_leave_no_value_for_unlabelled(path):
    with pytest.raises(InputError, match=f'^{path}: metadata: "classes" must be 1 to 254 names;'):
        save_model(with_classes(255), path)


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'mean': (0, 0, 256)}, '"mean" must be 3 integers from 0 to 255'),
        ({'mean': (0, 0, -1)}, '"mean" must be 3 integers from 0 to 255'),
        ({'input_size': (16385, 1)}, '"input_size" must be 2 integers from 1 to 16384'),
        ({'width': 513}, '"width" must be 1 to 512'),
        ({'depth': 7}, '"depth" must be 1 to 6'),
        ({'scale': 1e6}, '"head_scale" must be a positive number'),
        ({'name': 'a\ud800'}, '"name" must be text'),
        ({'name': 'a\udfff'}, '"name" must be text'),
    ],
)
def test_what_lies_beyond_is_refused_by_the_files_name(path, change, text):
    model = random_model(width=1, depth=1)
    if 'scale' in change:
        change = {'head': dataclasses.replace(model.head, **change)}
    model = dataclasses.replace(model, **change)
    with pytest.raises(InputError) as caught:
        save_model(model, path)
    assert str(caught.value).startswith(f'{path}: metadata: {text};')


@pytest.mark.parametrize('value', [-1, 256, 0.5, True])
@pytest.mark.parametrize('place', [0, 1, 2])
def test_colors_that_are_no_bytes(path, value, place):
    save_model(random_model(width=1, depth=1), path)
    color = [0, 255, 0]
    color[place] = value
    rewrite(path, colors=[color] * 5)
    with pytest.raises(InputError, match=f'^{path}: metadata: "colors" must be one RGB triple'):
        load_model(path)


@pytest.mark.parametrize('planes', [0, 3])
def test_layers_have_one_plane_or_two(path, planes):
    save_model(random_model(width=1, depth=1), path)
    names = dict.fromkeys(random_model(width=1, depth=1).layers, planes)
    rewrite(path, planes=names)
    with pytest.raises(InputError, match=f'^{path}: metadata: "planes" must give 1 or 2'):
        load_model(path)


def test_metadata_that_is_no_object_or_not_there(path):
    for text, words in (('3', 'not an object'), (None, 'not valid JSON')):
        save_model(random_model(width=1, depth=1), path)
        rewrite(path, text)
        with pytest.raises(InputError, match=f'^{path}: .*{words}'):
            load_model(path)


def test_what_json_cannot_tell_is_not_written(path):
    for value in (float('nan'), np.float32(1)):
        model = dataclasses.replace(random_model(width=1, depth=1), training={'miou': value})
        with pytest.raises(InputError, match=f'^{path}: metadata: "training" cannot be JSON: '):
            save_model(model, path)
        assert not path.exists()


@pytest.mark.parametrize('plane', ['plus', 'minus'])
def test_weights_beyond_the_input_channels_in_either_plane(path, plane):
    model = random_model(width=24, depth=1, plan=None, seed=1)
    name, layer = next((n, one) for n, one in model.layers.items() if one.planes == 2)
    planes = {'plus': layer.plus.copy(), 'minus': layer.minus.copy()}
    planes[plane][0, 0, -1] |= np.uint32(1 << 31)
    layers = {**model.layers, name: BinaryLayer(**planes, threshold=layer.threshold)}
    with pytest.raises(InputError, match=f"^{path}: layer '{name}' has weights beyond"):
        save_model(dataclasses.replace(model, layers=layers), path)


def test_a_tensor_of_another_shape_is_not_written(path):
    model = random_model(width=1, depth=1)
    head = dataclasses.replace(model.head, bias=np.zeros(6, np.int32))
    with pytest.raises(InputError, match=f"^{path}: tensor 'head.bias' has shape "):
        save_model(dataclasses.replace(model, head=head), path)
    assert not path.exists()


def test_a_tensor_of_another_type_of_integers(path):
    save_model(random_model(width=1, depth=1), path)
    rewrite(path, tensors={'head.bias': np.zeros(5, np.uint32)})
    with pytest.raises(InputError, match=f"^{path}: tensor 'head.bias' is uint32, not int32;"):
        load_model(path)


def rewrite(path, text='', tensors=None, **changes):
    """Write the file again with other tensors or metadata; `text` in the place of all of it."""
    with safe_open(path, framework='numpy') as file:
        found = {name: file.get_tensor(name) for name in file.keys()}
        header = dict(file.metadata())
    header['model'] = text or json.dumps({**json.loads(header['model']), **changes})
    if text is None:
        del header['model']
    save_file({**found, **(tensors or {})}, path, header)
