# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import cv2
import numpy as np
import pytest


@pytest.fixture
def box_tree_with(box_tree, tmp_path):
    """Makes a copy of `box_tree` with other values in its `dataset.json`."""

    def copy(**changes):
        root = tmp_path / 'tree'
        shutil.copytree(box_tree, root)
        content = json.loads((root / 'dataset.json').read_text())
        (root / 'dataset.json').write_text(json.dumps({**content, **changes}))
        return root

    return copy


@pytest.fixture(scope='session')
def box_tree(tmp_path_factory):
    """A data tree that a tiny network learns in seconds: bright boxes on dark ground."""
    root = tmp_path_factory.mktemp('boxes')
    random = np.random.default_rng(0)
    for split, count in (('train', 8), ('val', 4)):
        for kind in ('images', 'labels'):
            (root / split / kind).mkdir(parents=True)
        for i in range(count):
            label = np.zeros((34, 48), np.uint8)
            x = random.integers(0, 30)
            label[8:28, x : x + 16] = 1
            label[:3] = 255
            noise = random.integers(-20, 20, (34, 48, 3))
            image = np.where(label[..., None] == 1, 200, 60) + noise
            cv2.imwrite(str(root / split / 'images' / f'{i}.png'), image.astype(np.uint8))
            cv2.imwrite(str(root / split / 'labels' / f'{i}.png'), label)
    (root / 'dataset.json').write_text(
        json.dumps({'name': 'boxes', 'classes': ['ground', 'box'], 'colors': [[0] * 3, [255] * 3]})
    )
    return root
