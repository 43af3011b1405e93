# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of bags and samples, as they are sent."""

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE, TYPESTORE
from mbu_ros.bags.messages import make_compressed_image, make_header, make_image
from mbu_ros.data.sample import Sample
from mbu_ros.errors import InputError
from mbu_ros.evaluation.peak import preload
from mbu_ros.evaluation.peak.preload import preload_bag, preload_samples


def picture(seed, height=6, width=8):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def raw(index, pixels=None):
    return make_image(make_header(index), picture(index) if pixels is None else pixels, 'bgr8')


def write_bag(path, **topics):
    """A bag of messages by topic; returns them as they lie in it."""
    written = {}
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, (kind, messages) in topics.items():
            connection = writer.add_connection(f'/{topic}', kind, typestore=TYPESTORE)
            data = [bytes(TYPESTORE.serialize_cdr(message, kind)) for message in messages]
            for index, one in enumerate(data):
                writer.write(connection, index, one)
            written[f'/{topic}'] = data
    return written


def test_images_of_a_bag_are_taken_as_they_are(tmp_path):
    jpegs = [make_compressed_image(make_header(index), picture(index)) for index in range(2)]
    written = write_bag(
        tmp_path / 'bag',
        front=(IMAGE, [raw(index) for index in range(4)]),
        rear=(COMPRESSED_IMAGE, jpegs),
        label=(IMAGE, [make_image(make_header(0), picture(0)[..., 0], 'mono8')]),
    )
    cameras = preload_bag(tmp_path / 'bag')
    assert [(one.source, one.compressed) for one in cameras] == [
        ('/front', False),
        ('/rear', True),
    ]
    for camera in cameras:
        assert camera.messages == written[camera.source]
        assert camera.complete and not camera.unusable
    (rear,) = preload_bag(tmp_path / 'bag', ['/rear'])
    assert rear == cameras[1]
    assert cameras[0].megabytes == pytest.approx(sum(map(len, written['/front'])) / 1e6)


def test_what_the_node_would_refuse_is_left_out(tmp_path):
    bad = raw(1)
    bad.encoding = 'no_such_encoding'
    written = write_bag(tmp_path / 'bag', camera=(IMAGE, [raw(0), bad, raw(2)]))['/camera']
    (camera,) = preload_bag(tmp_path / 'bag')
    assert camera.messages == [written[0], written[2]]
    assert camera.unusable == 1


def test_a_camera_without_usable_images(tmp_path):
    bad = raw(1)
    bad.encoding = 'no_such_encoding'
    write_bag(tmp_path / 'bag', camera=(IMAGE, [bad]))
    with pytest.raises(InputError, match='no image in /camera can be used: .*no_such_encoding'):
        preload_bag(tmp_path / 'bag')


def test_memory_is_bounded(tmp_path, monkeypatch):
    images = [raw(index) for index in range(6)]
    written = write_bag(tmp_path / 'bag', a=(IMAGE, images), b=(IMAGE, images))
    size = len(written['/a'][0])
    cameras = preload_bag(tmp_path / 'bag', most_bytes=2 * (3 * size) + size)
    assert [(len(one.messages), one.complete) for one in cameras] == [(3, False), (3, False)]
    # An image larger than all that is allowed is still one to send.
    assert len(preload_bag(tmp_path / 'bag', ['/a'], most_bytes=1)[0].messages) == 1
    monkeypatch.setattr(preload, 'MOST_FRAMES', 5)
    assert len(preload_bag(tmp_path / 'bag', ['/a'])[0].messages) == 5
    monkeypatch.setattr(preload, 'MOST_FRAMES', 6)
    (camera,) = preload_bag(tmp_path / 'bag', ['/a'])
    assert len(camera.messages) == 6 and camera.complete


def test_samples_become_images():
    samples = [Sample(str(index), picture(index)) for index in range(3)]
    (camera,) = preload_samples('scenes', iter(samples))
    assert camera.source == 'scenes' and camera.complete and not camera.compressed
    read = [TYPESTORE.deserialize_cdr(message, IMAGE) for message in camera.messages]
    assert [one.encoding for one in read] == ['rgb8'] * 3
    assert all(one.data.tobytes() == it.image.tobytes() for one, it in zip(read, samples))
    with pytest.raises(InputError, match='scenes: there is no image'):
        preload_samples('scenes', [])
