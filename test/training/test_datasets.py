# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mbu_ros.data.sample import Sample
from mbu_ros.data.scenes import CLASSES, split_drives
from mbu_ros.errors import InputError
from mbu_ros.training.datasets import _stack, load_tree, render_scenes


def test_a_tree_is_read_at_its_own_size_or_another(box_tree):
    data = load_tree(box_tree)
    assert data.train.images.shape == (8, 34, 48, 3)
    assert data.val.labels.shape == (4, 34, 48)
    assert data.classes.names == ('ground', 'box')
    expected = data.train.images.reshape(-1, 3).mean(axis=0).round()
    assert data.mean == tuple(expected)
    resized = load_tree(box_tree, (20, 24))
    assert resized.train.images.shape == (8, 20, 24, 3)
    assert set(np.unique(resized.train.labels)) <= {0, 1, 255}


def test_resized_labels_lie_where_their_images_do():
    # An edge at x = 24 of 48: scaled down by 3, it is between pixels 7 and 8 in both.
    label = np.zeros((36, 48), np.uint8)
    label[:, 24:] = 1
    image = np.repeat(label[..., None] * 200, 3, axis=2)
    split = _stack([Sample('a', image, label)], (12, 16))
    np.testing.assert_array_equal(split.labels[0], split.images[0, ..., 0] > 100)


def test_a_split_without_labels_is_refused(box_tree, tmp_path):
    import shutil

    import cv2

    root = tmp_path / 'tree'
    shutil.copytree(box_tree, root)
    for path in (root / 'val' / 'labels').iterdir():
        cv2.imwrite(str(path), np.full((34, 48), 255, np.uint8))
    with pytest.raises(InputError, match='val split has no labelled pixel'):
        load_tree(root)


def test_scenes_are_those_of_the_generator():
    data = render_scenes(3, 2, (48, 64), seed=4)
    assert data.train.images.shape == (3, 48, 64, 3)
    assert data.val.labels.shape == (2, 48, 64)
    assert data.classes.names == CLASSES
    (drive,) = split_drives('val', 2, height=48, width=64, seed=4)
    np.testing.assert_array_equal(data.val.images[1], drive[1].image)
    np.testing.assert_array_equal(data.val.labels[1], drive[1].label)


def test_scenes_that_cannot_be_generated():
    with pytest.raises(InputError, match='cannot be generated'):
        render_scenes(2, 2, (4, 4))
