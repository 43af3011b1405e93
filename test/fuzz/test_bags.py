# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags with damaged storage, metadata and messages: what can be read is read, the rest refused."""

import shutil

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import given, settings
from hypothesis import strategies as st

from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE
from mbu_ros.bags.reader import BagMessage, BagReader, decode
from mbu_ros.imaging.messages import to_rgb

from ..bags.bag_files import START, image_bytes, jpeg_bytes, make_samples, write_bag
from .bounds import outcome
from .encoded_cases import MEMORY
from .mutations import damaged, json_values

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('bags')


@pytest.fixture(scope='module', params=['mcap', 'sqlite3'])
def bag(request, folder):
    """A good bag's files by name."""
    path = write_bag(folder / request.param, make_samples(3), storage=request.param)
    return {file.name: file.read_bytes() for file in path.iterdir()}


def read(path):
    bag = BagReader(path)
    return list(bag.samples()), list(bag.messages())


def check(files, folder):
    """Files of a bag are refused, or give frames that fit their labels."""
    path = folder / 'case'
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    found = outcome(read, path, memory=MEMORY)
    for sample in found[0] if found else ():
        assert sample.image.dtype == np.uint8 and sample.image.shape[2:] == (3,)
        assert sample.label is None or sample.label.shape == sample.image.shape[:2]
    return found


@settings(max_examples=25)
@given(st.data())
def test_damaged_files(bag, folder, data):
    files = dict(bag)
    (storage,) = files.keys() - {'metadata.yaml'}
    name = data.draw(st.sampled_from([storage, storage, storage, 'metadata.yaml']))
    files[name] = data.draw(damaged(files[name]))
    if data.draw(st.integers(0, 3)) == 0:
        del files['metadata.yaml']
    check(files, folder)


odd_yaml = st.sampled_from(['', '{', '[' * 99, '!!python/none x', '*a', '&a [*a]'])


@settings(max_examples=10)
@given(st.data())
def test_metadata(bag, folder, data):
    lines = bag['metadata.yaml'].decode().splitlines()
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(lines) - 1))
        key = lines[place].partition(':')[0]
        value = data.draw(json_values.map(repr) | odd_yaml)
        lines[place] = f'{key}: {value}'
    text = '\n'.join(lines) + '\n'
    check({**bag, 'metadata.yaml': text.encode('utf-8', 'surrogatepass')}, folder)


@pytest.mark.parametrize(
    'old, new',
    [
        ('  version: ', '  version: # '),
        ('  message_count: 9', '  message_count: nine'),
        ('      name: /camera/label', '      name: [a]'),
    ],
)
def test_values_of_other_types_in_metadata(bag, folder, old, new):
    text = bag['metadata.yaml'].decode()
    assert old in text
    changed = text.replace(old, new, 1).encode()
    # A warning, and the storage file tells the rest.
    samples, messages = check({**bag, 'metadata.yaml': changed}, folder)
    assert len(samples) == 3 and len(messages) == 9


@settings(max_examples=100)
@given(st.sampled_from([IMAGE, COMPRESSED_IMAGE]), st.data())
def test_messages(kind, data):
    good = image_bytes(START, PIXELS) if kind == IMAGE else jpeg_bytes(START, PIXELS)
    message = BagMessage('/image', kind, START, data.draw(damaged(good)))
    found = outcome(decode, message)
    if found is not None:
        pixels = outcome(to_rgb, found, memory=MEMORY)
        assert pixels is None or pixels.shape[2] == 3
