# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Data trees of any files: `dataset.json`, images, labels, names, and things that are no files."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbu_ros.data.files import MAX_FILE_BYTES, read_image, read_label
from mbu_ros.data.sources import folder_source
from mbu_ros.data.tree import DataTree

from ..data.encoded import png
from .bounds import outcome
from .encoded_cases import JPEGS, MEMORY, OTHERS, PNGS, files
from .mutations import damaged, json_values, text

GOOD = {'name': 'tree', 'classes': ['a', 'b'], 'colors': [[1, 2, 3], [4, 5, 6]], 'source': 's'}
LABEL = cv2.imencode('.png', np.array([[0, 1, 255], [1, 1, 0]], np.uint8))[1].tobytes()
IMAGE = cv2.imencode('.png', np.zeros((2, 3, 3), np.uint8))[1].tobytes()
LABELS = (LABEL, IMAGE, *PNGS, *JPEGS, *OTHERS, png(2, 0, [b'\x10'] * 4), png(8, 4, [bytes(8)] * 4))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('data')


def put(path, content):
    """Write a file, or make the thing that `content` names in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    match content:
        case 'folder':
            path.mkdir()
        case 'pipe':
            os.mkfifo(path)
        case 'endless':
            path.symlink_to('/dev/zero')
        case 'nowhere':
            path.symlink_to(path.parent / 'nothing')
        case 'itself':
            path.symlink_to(path)
        case 'huge':
            with open(path, 'wb') as file:
                file.truncate(1 << 40)
        case _:
            path.write_bytes(content)


no_files = st.sampled_from(['folder', 'pipe', 'endless', 'nowhere', 'itself', 'huge'])
json_texts = st.sampled_from(
    ['', '{', 'null', '[]', '"x"', '[' * 100_000, '{"classes":' * 3000, '1' * 5000, '\ufeff{}']
)


@st.composite
def descriptions(draw):
    """A dataset.json with a few things wrong."""
    content = dict(GOOD)
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from(['name', 'classes', 'colors', 'ignore_index', 'source']) | text)
        content[key] = draw(json_values | st.lists(text | st.just('a'), max_size=3))
    if draw(st.integers(0, 3)) == 0:
        content['colors'] = [draw(json_values) for _ in range(2)]
    encoded = json.dumps(content).encode()
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(json_texts).encode()
    return draw(damaged(encoded)) if kind == 1 else encoded


@settings(max_examples=80)
@given(descriptions() | no_files)
@example(b'[' * 100_000)
@example('pipe')
@example('endless')
@example('huge')
def test_descriptions(folder, content):
    path = folder / 'tree' / 'dataset.json'
    shutil.rmtree(path.parent, ignore_errors=True)
    put(path, content)
    tree = outcome(DataTree, path.parent)
    if tree is not None:
        assert 1 <= len(tree.classes) < 255 and len(tree.classes.colors) == len(tree.classes)
        assert tree.name and '/' not in tree.name
        ''.join([tree.name, tree.source, *tree.classes.names]).encode()  # can be written


@settings(max_examples=80)
@given(files | no_files, st.booleans())
def test_images(folder, content, upright):
    path = folder / 'image.png'
    path.unlink(missing_ok=True) if not path.is_dir() else path.rmdir()
    put(path, content)
    pixels = outcome(read_image, path, upright, memory=MEMORY + MAX_FILE_BYTES)
    assert pixels is None or pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8


labels = st.just(LABEL) | st.sampled_from(LABELS) | files | no_files
labels |= damaged(st.sampled_from(LABELS))


@settings(max_examples=80)
@given(labels)
def test_labels(folder, content):
    path = folder / 'label.png'
    path.unlink(missing_ok=True) if not path.is_dir() else path.rmdir()
    put(path, content)
    label = outcome(read_label, path, 2, memory=MEMORY + MAX_FILE_BYTES)
    assert label is not None or content != LABEL
    if label is not None:
        assert label.ndim == 2 and label.dtype == np.uint8
        assert set(np.unique(label)) <= {0, 1, 255}


names = st.sampled_from(['a.png'] * 5 + ['b.png', 'a.jpg', 'A.PNG', '.png', 'a.png.txt', 'ä.bmp'])
contents = st.integers(0, 9).flatmap(
    lambda n: st.sampled_from([LABEL, LABEL, IMAGE]) if n else no_files | st.just(b'')
)


@settings(max_examples=60)
@given(st.dictionaries(names, contents, max_size=3), st.dictionaries(names, contents, max_size=3))
def test_folders(folder, images, labels):
    root = folder / 'split'
    shutil.rmtree(root, ignore_errors=True)
    put(root / 'dataset.json', json.dumps(GOOD).encode())
    for kind, found in (('images', images), ('labels', labels)):
        for name, content in found.items():
            put(root / 'val' / kind / name, content)

    def read():
        return list(DataTree(root).samples('val'))

    samples = outcome(read, memory=MEMORY)
    for sample in samples or ():
        assert sample.label.shape == sample.image.shape[:2]
    outcome(lambda: list(folder_source(root / 'val' / 'images').samples), memory=MEMORY)
