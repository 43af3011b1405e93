# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `load_tree` says of trees that cannot be learned from."""

import json
import logging
import shutil

import cv2
import numpy as np
import pytest

from mbu_ros.errors import InputError
from mbu_ros.training.datasets import load_tree

SIZE = (34, 48)


@pytest.fixture
def tree(box_tree, tmp_path):
    root = tmp_path / 'tree'
    shutil.copytree(box_tree, root)
    return root


def test_a_missing_image(tree, caplog):
    (tree / 'train' / 'images' / '3.png').unlink()
    with caplog.at_level(logging.WARNING, 'mbu_ros'):
        data = load_tree(tree)
    assert len(data.train) == 7 and len(data.val) == 4
    (record,) = caplog.records
    assert 'without an image, which are not used: 1, such as 3.png' in record.getMessage()


def test_an_image_that_is_a_broken_link(tree):
    path = tree / 'train' / 'images' / '3.png'
    path.unlink()
    path.symlink_to(tree / 'elsewhere.png')
    with pytest.raises(InputError, match='train/images/3.png: cannot be read'):
        load_tree(tree)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_missing_label(tree, split):
    (tree / split / 'labels' / '3.png').unlink()
    with pytest.raises(InputError, match=f'{split}/labels: no label for 3.png'):
        load_tree(tree)


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('kind', ['images', 'labels'])
def test_an_unreadable_file(tree, split, kind):
    path = tree / split / kind / '2.png'
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=f'{split}/{kind}/2.png: not an image .* or damaged'):
        load_tree(tree)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_label_of_a_class_that_is_not_there(tree, split):
    cv2.imwrite(str(tree / split / 'labels' / '3.png'), np.full(SIZE, 2, np.uint8))
    with pytest.raises(InputError, match=f'{split}/labels/3.png: label value 2 is neither'):
        load_tree(tree)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_label_of_another_size_than_its_image(tree, split):
    cv2.imwrite(str(tree / split / 'labels' / '3.png'), np.zeros((34, 47), np.uint8))
    with pytest.raises(InputError, match=f'{split}/labels/3.png: the label is 47x34 but'):
        load_tree(tree)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_an_empty_split(tree, split):
    for kind in ('images', 'labels'):
        shutil.rmtree(tree / split / kind)
        (tree / split / kind).mkdir()
    with pytest.raises(InputError, match=f'{split}/images: no image'):
        load_tree(tree)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_missing_split(tree, split):
    shutil.rmtree(tree / split)
    with pytest.raises(InputError, match=f'{split}/images: no such folder'):
        load_tree(tree)


def test_a_missing_folder_of_labels(tree):
    shutil.rmtree(tree / 'train' / 'labels')
    with pytest.raises(InputError, match='train/labels: no such folder'):
        load_tree(tree)


def test_the_split_to_evaluate_on_is_the_one_that_must_be_there(tree):
    with pytest.raises(InputError, match='test/images: no such folder'):
        load_tree(tree, eval_split='test')


def test_the_val_split_is_read_too_where_the_test_split_is_evaluated(tree):
    shutil.copytree(tree / 'val', tree / 'test')
    data = load_tree(tree, eval_split='test')
    assert data.looks is data.other_val and (data.looks.labels == data.val.labels).all()
    for path in (tree / 'val' / 'labels').iterdir():
        cv2.imwrite(str(path), np.full(SIZE, 255, np.uint8))
    with pytest.raises(InputError, match='boxes: the val split has no labelled pixel'):
        load_tree(tree, eval_split='test')
    shutil.rmtree(tree / 'val')
    assert load_tree(tree, eval_split='test').looks is None


def test_a_train_split_without_a_labelled_pixel(tree):
    for path in (tree / 'train' / 'labels').iterdir():
        cv2.imwrite(str(path), np.full(SIZE, 255, np.uint8))
    with pytest.raises(InputError, match='boxes: the train split has no labelled pixel'):
        load_tree(tree)


def test_a_class_that_never_occurs_in_the_train_split(tree):
    content = json.loads((tree / 'dataset.json').read_text())
    content['classes'].append('bird')
    content['colors'].append([0, 0, 255])
    (tree / 'dataset.json').write_text(json.dumps(content))
    assert load_tree(tree).absent_classes == ('bird',)


def test_a_name_that_no_model_could_be_saved_under(tree):
    content = json.loads((tree / 'dataset.json').read_text())
    (tree / 'dataset.json').write_text(json.dumps({**content, 'name': 'boxes/2026'}))
    with pytest.raises(InputError, match="'boxes/2026'.*must be a plain file name"):
        load_tree(tree)


def test_frames_of_another_shape_are_mentioned(tree, caplog):
    for kind in ('images', 'labels'):
        path = tree / 'train' / kind / '3.png'
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), picture[:, :24])
    with caplog.at_level(logging.WARNING, 'mbu_ros'):
        assert len(load_tree(tree).train) == 8
    (record,) = caplog.records
    assert '(train): 1 of 8 frames have another aspect ratio' in record.getMessage()
