# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import logging
import os
import re

import cv2
import numpy as np
import pytest

from mbu_ros.data.sample import Sample
from mbu_ros.data.tree import DataTree, pair_files, warn_of_stretching
from mbu_ros.errors import InputError

from .encoded import exif_of_orientation, jpeg_with_exif

GOOD = {'name': 'tree', 'classes': ['a', 'b'], 'colors': [[1, 2, 3], [4, 5, 6]]}


@pytest.fixture
def root(tmp_path):
    for kind in ('images', 'labels'):
        (tmp_path / 'val' / kind).mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ('b', 'a', 'c'):
        image = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / 'val' / 'images' / f'{name}.png'), image)
        label = random.integers(0, 2, (6, 8), dtype=np.uint8)
        label[0] = 255
        cv2.imwrite(str(tmp_path / 'val' / 'labels' / f'{name}.png'), label)
    (tmp_path / 'dataset.json').write_text(json.dumps(GOOD))
    return tmp_path


def test_samples_come_in_the_order_of_their_names(root):
    tree = DataTree(root)
    assert tree.classes.names == ('a', 'b') and tree.classes.colors == ((1, 2, 3), (4, 5, 6))
    samples = list(tree.samples('val'))
    assert [sample.name for sample in samples] == ['a', 'b', 'c']
    assert len(list(tree.samples('val', limit=2))) == 2
    written = cv2.imread(str(root / 'val' / 'images' / 'a.png'))
    np.testing.assert_array_equal(samples[0].image, written[:, :, ::-1])  # RGB, not BGR
    assert set(np.unique(samples[0].label)) <= {0, 1, 255}


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'classes': []}, '"classes"'),
        ({'classes': ['a'] * 255, 'colors': [[0, 0, 0]] * 255}, '255 classes'),
        ({'colors': [[1, 2, 3]]}, '"colors"'),
        ({'colors': [[1, 2, 3], [4, 5]]}, 'colour'),
        ({'colors': [[1, 2, 3], [4, 5, 256]]}, 'colour'),
        ({'colors': [[1, 2, 3], [4, 5, True]]}, 'colour .*True'),
        ({'classes': ['a', 'a']}, "'a' more than once"),
        ({'classes': ['a', '\ud800']}, '"classes" must be a list of names'),
        ({'colors': ['\ud800', [4, 5, 6]]}, r'colour \\ud800 is not'),
        ({'ignore_index': 0}, '"ignore_index" is 0'),
        ({'name': ''}, '"name" is \'\''),
        ({'name': '..'}, '"name" is'),
        ({'name': '.hidden'}, '"name" is'),
        ({'name': 'a/b'}, '"name" is'),
        ({'name': 'a\\b'}, '"name" is'),
        ({'name': 'a\nb'}, '"name" is'),
        ({'name': '\ud800'}, '"name" is'),
        ({'name': 'ä' * 101}, '"name" is'),
        ({'name': None}, '"name" is None'),
    ],
)
def test_bad_dataset_json(root, change, text):
    (root / 'dataset.json').write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(InputError, match=text):
        DataTree(root)


def test_the_name_is_that_of_the_folder_where_none_is_given(root, monkeypatch):
    content = {key: value for key, value in GOOD.items() if key != 'name'}
    (root / 'dataset.json').write_text(json.dumps(content))
    assert DataTree(root).name == root.name
    monkeypatch.chdir(root)
    assert DataTree('.').name == root.name
    assert DataTree('val/..').name == root.name


def test_dataset_json_missing_or_broken(root):
    (root / 'dataset.json').write_text('{')
    with pytest.raises(InputError, match='not valid JSON'):
        DataTree(root)
    (root / 'dataset.json').write_text('[' * 100_000)
    with pytest.raises(InputError, match='not valid JSON'):
        DataTree(root)
    (root / 'dataset.json').unlink()
    os.mkfifo(root / 'dataset.json')  # reading it would wait for somebody to write
    with pytest.raises(InputError, match='cannot be read: Not a regular file'):
        DataTree(root)
    (root / 'dataset.json').unlink()
    with pytest.raises(InputError, match='cannot be read.*a data tree is'):
        DataTree(root)


def test_splits_that_cannot_be_read(root):
    tree = DataTree(root)
    with pytest.raises(InputError, match="no split 'validation'"):
        tree.files('validation')
    with pytest.raises(InputError, match='no such folder'):
        tree.files('train')
    (root / 'test' / 'images').mkdir(parents=True)
    with pytest.raises(InputError, match='no image'):
        tree.files('test')
    (root / 'val' / 'labels' / 'b.png').unlink()
    with pytest.raises(InputError, match='no label for b.png'):
        tree.files('val')
    assert pair_files(root / 'val' / 'images', None)[1].label is None


def test_label_of_another_size(root):
    cv2.imwrite(str(root / 'val' / 'labels' / 'b.png'), np.zeros((6, 9), np.uint8))
    with pytest.raises(InputError, match='label is 9x6 but its image 8x6'):
        list(DataTree(root).samples('val'))


@pytest.mark.parametrize('kind', ['images', 'labels'])
@pytest.mark.parametrize('name', ['b.PNG', 'b.jpg'])
def test_two_files_of_one_name(root, kind, name):
    folder = root / 'val' / kind
    (folder / name).write_bytes((folder / 'b.png').read_bytes())
    with pytest.raises(InputError, match=f'{kind}: both .*b.png.*; remove') as caught:
        DataTree(root).files('val')
    assert name in str(caught.value)


def test_a_label_that_is_no_png_by_its_name(root):
    folder = root / 'val' / 'labels'
    (folder / 'b.png').rename(folder / 'b.jpg')
    (folder / 'c.png').rename(folder / 'c.bmp')
    with pytest.raises(InputError, match='b.jpg and 1 more labels: labels must be PNG'):
        DataTree(root).files('val')


def test_labels_without_an_image_are_mentioned_once(root, caplog):
    for name in ('d.png', 'e.png'):
        cv2.imwrite(str(root / 'val' / 'labels' / name), np.zeros((6, 8), np.uint8))
    tree = DataTree(root)
    with caplog.at_level(logging.WARNING, 'mbu_ros'):
        assert [file.image.name for file in tree.files('val', 1)] == ['a.png']
        assert len(list(tree.samples('val'))) == 3
    (record,) = caplog.records
    assert 'not used: 2, such as d.png' in record.getMessage()


@pytest.mark.parametrize('orientation', [3, 6])
def test_orientation_marks_are_not_followed_where_there_are_labels(root, orientation):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = 255
    files = root / 'val' / 'images' / 'b.jpg', root / 'val' / 'labels' / 'b.png'
    (root / 'val' / 'images' / 'b.png').unlink()
    files[0].write_bytes(jpeg_with_exif(image, exif_of_orientation(orientation)))
    label = (image[..., 0] > 0).astype(np.uint8)
    cv2.imwrite(str(files[1]), label)
    (sample,) = (s for s in DataTree(root).samples('val') if s.name == 'b')
    np.testing.assert_array_equal(sample.image[..., 0] > 127, sample.label == 1)
    # Where no label could lie wrongly, the picture is shown as viewers show it.
    (file,) = (f for f in pair_files(root / 'val' / 'images', None) if f.image.stem == 'b')
    turns = {3: 2, 6: 3}[orientation]
    turned = file.load(2).image[..., 0] > 127
    np.testing.assert_array_equal(turned, np.rot90(label, turns) == 1)


def test_a_label_drawn_on_a_turned_image(root):
    (root / 'val' / 'images' / 'b.png').unlink()
    exif = exif_of_orientation(6)
    jpeg = jpeg_with_exif(np.zeros((6, 8, 3), np.uint8), exif)
    (root / 'val' / 'images' / 'b.jpg').write_bytes(jpeg)
    cv2.imwrite(str(root / 'val' / 'labels' / 'b.png'), np.zeros((8, 6), np.uint8))
    with pytest.raises(InputError, match='label is 6x8 but its image 8x6.*orientation marks'):
        list(DataTree(root).samples('val'))


@pytest.mark.parametrize(
    ('sizes', 'text'),
    [
        ([(48, 64), (96, 128), (240, 322)], None),  # 322 of 320 is below one percent
        ([(48, 64), (64, 48), (64, 64)], 'boxes: 2 of 3 frames .* 64x48 .*such as frame1 of 48x64'),
    ],
)
def test_stretched_frames_are_mentioned_once(caplog, sizes, text):
    samples = [
        Sample(f'frame{index}', np.zeros((*size, 3), np.uint8)) for index, size in enumerate(sizes)
    ]
    with caplog.at_level(logging.WARNING, 'mbu_ros'):
        assert list(warn_of_stretching(samples, (48, 64), 'boxes')) == samples
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (text is not None)
    if text:
        assert re.search(text, messages[0])
