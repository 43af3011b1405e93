# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from mbu_ros.errors import InputError
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import BinaryLayer, Head
from mbu_ros.model.file import load_model, save_model
from mbu_ros.model.random import random_model


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'model.safetensors'
    save_model(random_model(width=24, depth=2, seed=3), path)
    return path


def rewrite(path, tensors=None, metadata=None, header=None):
    """Write the file again with some tensors or metadata changed; None drops a tensor."""
    with safe_open(path, framework='numpy') as file:
        all_tensors = {name: file.get_tensor(name) for name in file.keys()}
        all_header = dict(file.metadata())
    all_tensors.update(tensors or {})
    all_tensors = {name: tensor for name, tensor in all_tensors.items() if tensor is not None}
    content = json.loads(all_header['model'])
    content.update(metadata or {})
    all_header['model'] = json.dumps(content)
    all_header.update(header or {})
    save_file(all_tensors, path, all_header)


def test_a_model_comes_back_as_it_was(tmp_path):
    model = random_model(width=24, depth=3, classes=7, input_size=(30, 50), seed=1)
    path = tmp_path / 'folder' / 'model.safetensors'
    save_model(model, path)
    loaded = load_model(path)
    for field in dataclasses.fields(model):
        if field.name not in ('first', 'layers', 'head'):
            assert getattr(loaded, field.name) == getattr(model, field.name)
    np.testing.assert_array_equal(loaded.first.weight, model.first.weight)
    np.testing.assert_array_equal(loaded.first.threshold, model.first.threshold)
    np.testing.assert_array_equal(loaded.head.weight, model.head.weight)
    np.testing.assert_array_equal(loaded.head.bias, model.head.bias)
    assert loaded.head.scale == model.head.scale
    assert list(loaded.layers) == list(model.layers)
    assert set(loaded.plan.values()) == {1, 2}
    for name, layer in model.layers.items():
        np.testing.assert_array_equal(loaded.layers[name].plus, layer.plus)
        np.testing.assert_array_equal(loaded.layers[name].threshold, layer.threshold)
        if layer.minus is not None:
            np.testing.assert_array_equal(loaded.layers[name].minus, layer.minus)
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file left


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match='no such model file'):
        load_model(tmp_path / 'nothing.safetensors')


@pytest.mark.parametrize('keep', [0, 7, 100, 0.5, -1])
def test_truncated_file(saved, keep):
    content = saved.read_bytes()
    length = int(len(content) * keep) if isinstance(keep, float) else keep
    saved.write_bytes(content[:length])
    with pytest.raises(InputError, match='damaged'):
        load_model(saved)


def test_file_of_another_kind(saved):
    saved.write_bytes(b'\x89PNG\r\n' + bytes(5000))
    with pytest.raises(InputError, match='damaged'):
        load_model(saved)


def test_safetensors_of_something_else(saved):
    save_file({'weight': np.zeros(3)}, saved)
    with pytest.raises(InputError, match='not of mbu_ros'):
        load_model(saved)


def test_another_version(saved):
    rewrite(saved, header={'format_version': '99'})
    with pytest.raises(InputError, match='version 99.*versions 1 and 2'):
        load_model(saved)


@pytest.mark.parametrize('lowest', [-128, 0])
def test_a_head_that_reads_sums_is_of_version_2(tmp_path, lowest):
    path = tmp_path / 'model.safetensors'
    save_model(random_model(lowest=lowest), path)
    assert load_model(path).head.lowest == lowest
    with safe_open(path, framework='numpy') as file:
        assert file.metadata()['format_version'] == '2'
    rewrite(path, header={'format_version': '1'})
    with pytest.raises(InputError, match='"head_lowest" belongs to format version 2, this is 1'):
        load_model(path)


def test_one_that_reads_bits_is_of_version_1(saved):
    assert load_model(saved).head.lowest is None
    rewrite(saved, header={'format_version': '2'})
    with pytest.raises(InputError, match='"head_lowest" belongs to format version 2, this is 2'):
        load_model(saved)


@pytest.mark.parametrize('lowest', [-127, 1, True, False, None, 'all', 0.0])
def test_what_a_head_reads_of_sums_is_one_of_two_ranges(saved, lowest):
    rewrite(saved, header={'format_version': '2'}, metadata={'head_lowest': lowest})
    with pytest.raises(InputError, match='"head_lowest" must be -128 or 0'):
        load_model(saved)


def test_metadata_that_is_no_json(saved):
    rewrite(saved, header={'model': '{'})
    with pytest.raises(InputError, match='not valid JSON'):
        load_model(saved)


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'width': 0}, 'width'),
        ({'width': 10**9}, 'width'),
        ({'depth': 40}, 'depth'),
        ({'depth': True}, 'depth'),
        ({'classes': []}, 'classes'),
        ({'classes': ['a', 3]}, 'classes'),
        ({'colors': [[0, 0, 0]]}, 'colors'),
        ({'colors': [[0, 0, 999]] * 5}, 'colors'),
        ({'input_size': [0, 64]}, 'input_size'),
        ({'input_size': [64]}, 'input_size'),
        ({'mean': [1, 2, 300]}, 'mean'),
        ({'head_scale': 0}, 'head_scale'),
        ({'head_scale': 'big'}, 'head_scale'),
        ({'planes': {}}, 'planes'),
        ({'name': None}, 'name'),
        ({'training': []}, 'training'),
    ],
)
def test_bad_metadata(saved, change, text):
    rewrite(saved, metadata=change)
    with pytest.raises(InputError, match=f'metadata.*{text}'):
        load_model(saved)


def test_metadata_that_does_not_fit_the_tensors(saved):
    rewrite(saved, metadata={'width': 16})
    with pytest.raises(InputError, match='has shape'):
        load_model(saved)


def test_tensor_of_wrong_shape(saved):
    rewrite(saved, {'head.bias': np.zeros(3, np.int32)})
    with pytest.raises(InputError, match="'head.bias' has shape .3. .* .5."):
        load_model(saved)


def test_tensor_of_wrong_type(saved):
    rewrite(saved, {'head.bias': np.zeros(5, np.float32)})
    with pytest.raises(InputError, match="'head.bias' is F32"):
        load_model(saved)


def test_missing_and_surplus_tensors(saved):
    rewrite(saved, {'up.0.threshold': None})
    with pytest.raises(InputError, match="'up.0.threshold' is missing"):
        load_model(saved)
    rewrite(saved, {'extra': np.zeros(1)})
    with pytest.raises(InputError, match="'extra' does not belong"):
        load_model(saved)


def test_weights_beyond_the_input_channels(tmp_path):
    model = random_model(width=24, depth=2)
    layer = model.layers['encoder.0.conv2']
    plus = layer.plus.copy()
    plus[0, 0, 0] |= np.uint32(1 << 30)  # channel 30 of 24
    layers = dict(model.layers)
    layers['encoder.0.conv2'] = BinaryLayer(plus, None, layer.threshold)
    with pytest.raises(InputError, match='beyond its input channels'):
        save_model(dataclasses.replace(model, layers=layers), tmp_path / 'm.safetensors')
    assert not list(tmp_path.iterdir())


def test_weights_of_both_signs_at_once(saved):
    with safe_open(saved, framework='numpy') as file:
        minus = next(name for name in file.keys() if name.endswith('.minus'))
        plus = file.get_tensor(minus.replace('.minus', '.plus'))
    rewrite(saved, {minus: plus})
    with pytest.raises(InputError, match=r'\+1 and -1 at once'):
        load_model(saved)


def test_head_bias_that_could_overflow(tmp_path):
    model = random_model()
    head = Head(model.head.weight, np.full(5, 2**31 - 1, np.int32), 1.0)
    with pytest.raises(InputError, match='head bias'):
        save_model(dataclasses.replace(model, head=head), tmp_path / 'm.safetensors')


def test_find_model_takes_a_path_and_names_what_is_shipped(saved):
    assert find_model(saved) == saved
    with pytest.raises(InputError, match="no model 'nonsense'.*synthetic"):
        find_model('nonsense')
    assert load_model(find_model('synthetic')).name == 'synthetic'
