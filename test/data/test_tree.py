# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import zlib

import cv2
import numpy as np
import pytest

from mbu_ros.data.files import list_images, read_image, read_label
from mbu_ros.data.tree import DataTree, pair_files
from mbu_ros.errors import InputError

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
        ({'ignore_index': 0}, '"ignore_index" is 0'),
    ],
)
def test_bad_dataset_json(root, change, text):
    (root / 'dataset.json').write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(InputError, match=text):
        DataTree(root)


def test_dataset_json_missing_or_broken(root):
    (root / 'dataset.json').write_text('{')
    with pytest.raises(InputError, match='not valid JSON'):
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


def test_label_with_an_unknown_class(root):
    path = root / 'label.png'
    cv2.imwrite(str(path), np.full((4, 4), 2, np.uint8))
    with pytest.raises(InputError, match='label value 2 is neither one of the 2 classes'):
        read_label(path, 2)
    assert (read_label(path, 3) == 2).all()


def test_label_in_colours(root):
    path = root / 'label.png'
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match='one channel'):
        read_label(path, 2)


@pytest.mark.parametrize('content', [b'', b'not an image', b'\x89PNG\r\n\x1a\n' + bytes(20)])
def test_unreadable_images(tmp_path, content):
    path = tmp_path / 'image.png'
    path.write_bytes(content)
    with pytest.raises(InputError, match='not an image'):
        read_image(path)
    with pytest.raises(InputError, match='cannot be read'):
        read_image(tmp_path / 'missing.png')
    with pytest.raises(InputError, match='no such folder'):
        list_images(tmp_path / 'missing')


def test_label_of_fewer_than_eight_bits(tmp_path):
    path = tmp_path / 'label.png'
    cv2.imwrite(str(path), np.eye(8, dtype=np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
    with pytest.raises(InputError, match='8 bits per pixel, this PNG has 1'):
        read_label(path, 2)


def test_an_image_that_claims_to_be_enormous(tmp_path):
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    content = bytearray(path.read_bytes())
    content[16:24] = (40000).to_bytes(4, 'big') * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, 'big')
    path.write_bytes(content)
    with pytest.raises(InputError, match='cannot be decoded|not an image'):
        read_image(path)
