# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which bags a path stands for, and which topics are cameras and their labels."""

from __future__ import annotations

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from mbu_ros.bags.bag import Bag
from mbu_ros.bags.cameras import Camera, choose_cameras, find_bags
from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE, TYPESTORE
from mbu_ros.bags.reader import BagReader
from mbu_ros.bags.topics import stray_labels
from mbu_ros.errors import InputError

from .bag_files import START, frames, image_bytes, jpeg_bytes, storage_file, write_raw


def bag_of(path, *topics, depth=()):
    """A bag with an image of each topic; those of `depth` are depth images."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    messages = []
    for topic in topics:
        encode = jpeg_bytes if topic.endswith('compressed') else image_bytes
        messages.append((topic, START, encode(START, pixels)))
    for topic in depth:
        messages.append((topic, START, image_bytes(START, pixels[..., :2], '16UC1')))
    return write_raw(path, messages)


def pairs(path, *arguments):
    return [(c.image_topic, c.label_topic) for c in choose_cameras(path, *arguments)]


def test_a_camera_and_its_labels(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(3))
    assert choose_cameras(path) == [Camera('/cam/image', '/cam/label', IMAGE, 3)]
    path = bag_of(tmp_path / 'other', '/image/compressed', '/truth/label')
    assert choose_cameras(path) == [
        Camera('/image/compressed', '/truth/label', COMPRESSED_IMAGE, 1)
    ]


def test_labels_go_to_the_camera_whose_namespace_they_share(tmp_path):
    path = bag_of(
        tmp_path / 'bag',
        '/robot/left/image_raw',
        '/robot/left/label',
        '/robot/right/image_raw',
        '/robot/right/camera/label',
        '/rear/image/compressed',
    )
    assert pairs(path) == [
        ('/rear/image/compressed', None),
        ('/robot/left/image_raw', '/robot/left/label'),
        ('/robot/right/image_raw', '/robot/right/camera/label'),
    ]
    right = ['/robot/right/image_raw']
    assert pairs(path, right) == [('/robot/right/image_raw', '/robot/right/camera/label')]
    assert BagReader(path, *right).label_topic == '/robot/right/camera/label'
    assert pairs(path, right, ['/robot/left/label']) == [(right[0], '/robot/left/label')]
    assert pairs(path, right, ['']) == [(right[0], None)]


def test_results_are_no_cameras_and_a_camera_counts_once(tmp_path):
    path = bag_of(
        tmp_path / 'bag',
        '/cam/image_raw',
        '/cam/image_raw/compressed',
        '/cam/segmentation/mask',
        '/cam/segmentation/overlay/compressed',
        '/cam/label',
        depth=('/cam/depth/image',),
    )
    assert pairs(path) == [('/cam/image_raw', '/cam/label')]
    assert BagReader(path).image_topic == '/cam/image_raw'
    # Who asks for it gets it.
    assert pairs(path, ['/cam/image_raw/compressed'])[0][0] == '/cam/image_raw/compressed'


def test_labels_that_may_belong_to_several_must_be_given(tmp_path):
    path = bag_of(tmp_path / 'bag', '/robot/left/image', '/robot/right/image', '/robot/label')
    with pytest.raises(InputError, match='may belong to .*--label-topic.*/robot/right/image'):
        choose_cameras(path)
    images = ['/robot/left/image', '/robot/right/image']
    assert pairs(path, images, ['/robot/label', '']) == [
        (images[0], '/robot/label'), (images[1], None)
    ]
    path = bag_of(tmp_path / 'two', '/cam/image', '/cam/label', '/cam/label_fine')
    with pytest.raises(InputError, match='several label topics.*--label-topic'):
        choose_cameras(path)


@pytest.mark.parametrize(
    'images, labels, text',
    [
        (['/none'], [], 'no topic /none.*/cam/image'),
        ([], ['/none'], 'no topic /none.*/cam/image'),
        ([], ['/cam/label', '/cam/label'], '2 label topics for 1 cameras'),
    ],
)
def test_topics_that_cannot_be_are_one_error(tmp_path, images, labels, text):
    path = write_raw(tmp_path / 'bag', frames(1))
    with pytest.raises(InputError, match=text):
        choose_cameras(path, images, labels)


def test_bags_are_found(tmp_path):
    drives = tmp_path / 'drives'
    for name in ('b', 'a', 'c'):
        write_raw(drives / name, frames(1), 'mcap')
    (drives / 'a' / 'metadata.yaml').unlink()  # a recording that crashed
    storage_file(drives / 'c').rename(drives / 'single.mcap')
    (drives / 'c' / 'metadata.yaml').unlink()
    (drives / 'notes').mkdir()
    write_raw(drives / '.hidden', frames(1))
    assert find_bags([drives]) == [drives / 'a', drives / 'b', drives / 'single.mcap']
    assert find_bags([drives / 'b']) == [drives / 'b']
    assert find_bags([drives / 'b', drives]) == [
        drives / 'b', drives / 'a', drives / 'single.mcap'
    ]
    for bag in find_bags([drives]):
        assert BagReader(bag).frames == 1


def test_no_bag_is_one_error(tmp_path):
    for path, text in ((tmp_path / 'none', 'no such bag'), (tmp_path, 'no folder of bags')):
        with pytest.raises(InputError, match=text):
            find_bags([path])
    with pytest.raises(InputError, match='no bag was named'):
        find_bags([])


def test_a_label_topic_without_messages_is_no_rival(tmp_path):
    with Writer(tmp_path / 'bag', version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic in ('/cam/image', '/cam/label', '/cam/label_image'):
            connection = writer.add_connection(topic, IMAGE, typestore=TYPESTORE)
            if topic != '/cam/label':
                data = image_bytes(START, np.zeros((8, 8, 3), np.uint8))
                writer.write(connection, START, data)
    assert pairs(tmp_path / 'bag') == [('/cam/image', '/cam/label_image')]


def test_labels_that_fit_no_camera_are_known(tmp_path):
    path = bag_of(
        tmp_path / 'bag', '/left/image', '/right/image', '/truth/left/label', '/left/label'
    )
    assert stray_labels(Bag(path).topics) == ['/truth/left/label']
    assert pairs(path) == [('/left/image', '/left/label'), ('/right/image', None)]
    # One camera has no rivals.
    path = bag_of(tmp_path / 'one', '/left/image', '/truth/left/label')
    assert stray_labels(Bag(path).topics) == []
