# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Model files of any bytes: refused, or a model that an engine runs."""

import json
import struct

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import given, settings
from hypothesis import strategies as st

from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.model.file import load_model, save_model
from mbu_ros.model.random import random_model
from mbu_ros.model.summary import layer_costs

from .bounds import bounded, outcome
from .mutations import EDGES64, damaged, json_values, text

SMALL = 96 * 96
"""Pixels of a network's input that are run here."""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('models')


@pytest.fixture(scope='module', params=[None, 0], ids=['bits', 'sums'])
def good(folder, request):
    """A good file, in parts: its header's entries and its data."""
    path = folder / 'good.safetensors'
    model = random_model(
        width=4, depth=1, classes=3, input_size=(6, 10), lowest=request.param
    )
    save_model(model, path)
    content = path.read_bytes()
    (length,) = struct.unpack('<Q', content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def join(entries, data):
    """A safetensors file; `entries` are pairs, so that a key may be there twice."""
    header = '{' + ','.join(f'{json.dumps(key)}:{value}' for key, value in entries) + '}'
    content = header.encode('utf-8', 'surrogatepass')
    return struct.pack('<Q', len(content)) + content + data


def load(content, folder):
    path = folder / 'case.safetensors'
    path.write_bytes(content)
    return outcome(load_model, path)


def check(model, folder):
    """A model that was taken can be written, described and, where it is small, run."""
    with bounded(model):
        save_model(model, folder / 'again.safetensors')
        layer_costs(model)
        if model.input_size[0] * model.input_size[1] > SMALL:
            return
        engine = ReferenceEngine(model)
        try:
            frame = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
            (found,) = engine.segment([frame], confidence=True)
            assert found.labels.max() < len(model.classes)
            assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
        finally:
            engine.close()


@settings(max_examples=80)
@given(st.data())
def test_damaged_bytes(good, folder, data):
    entries, tensors = good
    content = join([(key, json.dumps(value)) for key, value in entries.items()], tensors)
    model = load(data.draw(damaged(content)), folder)
    if model is not None:
        check(model, folder)


sizes = st.sampled_from([*EDGES64, -1, 10**30]) | st.integers(0, 40)
tensor_entries = st.fixed_dictionaries(
    {},
    optional={
        'dtype': st.sampled_from(['I8', 'I32', 'U32', 'F32', 'BF16', 'F8_E4M3', 'BOOL', 'F4', 'X'])
        | text,
        'shape': st.lists(sizes, max_size=5),
        'data_offsets': st.lists(sizes, min_size=2, max_size=2),
    },
)


@settings(max_examples=80)
@given(st.data())
def test_hostile_headers(good, folder, data):
    entries, tensors = good
    pairs = [(key, json.dumps(value)) for key, value in entries.items()]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(pairs) - 1))
        key, value = pairs[place]
        match data.draw(st.sampled_from(['change', 'other', 'again', 'rename', 'drop'])):
            case 'change':
                changed = json.loads(value)
                if isinstance(changed, dict):
                    changed.update(data.draw(tensor_entries))
                pairs[place] = key, json.dumps(changed)
            case 'other':
                pairs[place] = key, json.dumps(data.draw(json_values))
            case 'again':
                pairs.insert(data.draw(st.integers(0, len(pairs))), (key, value))
            case 'rename':
                pairs[place] = data.draw(text), value
            case 'drop':
                if len(pairs) > 1:
                    del pairs[place]
    if data.draw(st.booleans()):
        tensors += bytes(data.draw(st.sampled_from([1, 8, 4096])))
    model = load(join(pairs, tensors), folder)
    if model is not None:
        check(model, folder)


# What a number may be in JSON text and not in `json_values`.
raw_json = st.sampled_from(
    ['1e400', '-0', '1' * 5000, '[' * 10_000 + ']' * 10_000, '{"a":' * 3000 + '1' + '}' * 3000,
     '"\\u0000"', '"\\ud800"', 'NaN', '-Infinity', '{"a":1,"a":2}', '""', '', 'x']
)


@settings(max_examples=120)
@given(st.data())
def test_metadata(good, folder, data):
    entries, tensors = good
    header = entries['__metadata__']
    content = json.loads(header['model'])
    for _ in range(data.draw(st.integers(1, 2))):
        key = data.draw(st.sampled_from(sorted(content)))
        match data.draw(st.sampled_from(['value', 'inside', 'raw', 'drop', 'more'])):
            case 'value':
                content[key] = data.draw(json_values)
            case 'inside' if isinstance(content[key], list) and content[key]:
                place = data.draw(st.integers(0, len(content[key]) - 1))
                content[key][place] = data.draw(json_values)
            case 'inside' if isinstance(content[key], dict):
                content[key][data.draw(text)] = data.draw(json_values)
            case 'raw':
                content[key] = f'@{data.draw(raw_json)}@'
            case 'drop':
                del content[key]
            case _:
                content[data.draw(text)] = data.draw(json_values)
        if not content:
            break
    described = json.dumps(content)
    for value in content.values():
        if isinstance(value, str) and value[:1] == '@':
            described = described.replace(json.dumps(value), value[1:-1])
    changed = {**header, 'model': described}
    if data.draw(st.integers(0, 9)) == 0:
        changed[data.draw(st.sampled_from([*header, 'more']))] = data.draw(text)
    pairs = [
        (name, json.dumps(changed if name == '__metadata__' else value))
        for name, value in entries.items()
    ]
    model = load(join(pairs, tensors), folder)
    if model is not None:
        check(model, folder)
