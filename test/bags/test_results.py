# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A copy of a bag with masks and overlays in it."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability
from rosbags.interfaces import QosTime as Time
from rosbags.rosbag2 import CompressionMode, Reader, Writer
from rosbags.typesys import get_types_from_msg

from mbu_ros.bags.cameras import choose_cameras
from mbu_ros.bags.definitions import NO_HASH
from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE, TYPESTORE, stamp_nanoseconds
from mbu_ros.bags.reader import BagReader, decode
from mbu_ros.bags.results import write_results
from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError

from .bag_files import (
    PLUGINS,
    START,
    STORAGES,
    frames,
    image_bytes,
    jpeg_bytes,
    storage_file,
    write_raw,
)

CLASSES = ClassMap(('road', 'car'), ((255, 0, 0), (0, 0, 255)))
ODD = 'odd_msgs/msg/Odd'
MASK = np.tile(np.array([0, 1, 255, 1], np.uint8), (8, 2))


def give_mask(topic, stamp, logged):
    return MASK


def messages_of(path):
    return [tuple(message) for message in BagReader(path).messages()]


@pytest.mark.parametrize('storage', STORAGES)
def test_messages_are_copied_and_results_added(tmp_path, storage):
    original = frames(3)
    source = write_raw(tmp_path / 'bag', original, storage)
    out = tmp_path / 'new' / 'out'
    skipped = START + 10**8
    asked = []

    def masks(topic, stamp, logged):
        asked.append((topic, stamp))
        return None if stamp == skipped else np.ones((8, 10), np.uint8)

    assert write_results(source, out, CLASSES, masks, choose_cameras(source)) == 2
    assert asked == [('/cam/image', START + n * 10**8) for n in range(3)]
    assert storage_file(out).suffix == storage_file(source).suffix
    written = messages_of(out)
    assert [m for m in written if 'segmentation' not in m[0]] == messages_of(source)
    added = [m for m in BagReader(out).messages() if 'segmentation' in m.topic]
    assert [(m.topic, m.kind, m.time) for m in added] == [
        (f'/cam/segmentation/{name}', IMAGE, START + n * 10**8)
        for n in (0, 2)
        for name in ('mask', 'overlay')
    ]
    for message in added:
        image = decode(message)
        assert stamp_nanoseconds(image) == message.time
        assert image.header.frame_id == 'camera'
        assert (image.height, image.width) == (8, 10)
    mask, overlay = map(decode, added[2:])
    assert mask.encoding == 'mono8' and (mask.data == 1).all()
    assert overlay.encoding == 'rgb8'
    # Half of the colour of class 1 over an image of value 2.
    assert tuple(overlay.data[:3]) == (1, 1, 128)
    # The image comes before its results, for players and for those who read along.
    order = [m.topic for m in BagReader(out).messages() if m.time == START]
    assert order.index('/cam/image') < order.index('/cam/segmentation/mask')
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize('storage', STORAGES)
def test_a_compressed_camera_gets_a_compressed_overlay(tmp_path, storage):
    grey = np.full((8, 8, 3), 100, np.uint8)
    source = write_raw(
        tmp_path / 'bag', [('/cam/image/compressed', START, jpeg_bytes(START, grey))], storage
    )
    out = tmp_path / 'out'
    write_results(source, out, CLASSES, lambda topic, stamp, logged: MASK, choose_cameras(source))
    added = {m.topic: m for m in BagReader(out).messages()}
    overlay = added['/cam/segmentation/overlay/compressed']
    assert overlay.kind == COMPRESSED_IMAGE
    assert cv2.imdecode(np.array(decode(overlay).data), cv2.IMREAD_COLOR).shape == (8, 8, 3)
    assert np.array_equal(decode(added['/cam/segmentation/mask']).data.reshape(8, 8), MASK)


def test_several_cameras_and_topics_that_are_taken(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    topics = ('/stereo/left', '/stereo/right', '/rear/image', '/rear/segmentation/mask')
    source = write_raw(
        tmp_path / 'bag', [(topic, START, image_bytes(START, pixels)) for topic in topics]
    )
    out = tmp_path / 'out'
    cameras = choose_cameras(source)
    assert write_results(source, out, CLASSES, give_mask, cameras) == 3
    assert set(BagReader(out, '/rear/image').topics) == {
        *topics,
        *(
            f'{base}/{name}'
            for base in (
                '/stereo/left/segmentation', '/stereo/right/segmentation', '/rear/segmentation_2'
            )
            for name in ('mask', 'overlay')
        ),
    }


@pytest.mark.parametrize('storage', STORAGES)
def test_unknown_types_qos_and_empty_topics_are_kept(tmp_path, storage):
    qos = Qos(
        QosHistory.KEEP_LAST, 3, QosReliability.BEST_EFFORT, QosDurability.VOLATILE,
        Time(1, 2), Time(3, 4), QosLiveliness.AUTOMATIC, Time(5, 6), False,
    )  # fmt: skip
    source = tmp_path / 'bag'
    definition = 'int32 number\nstring text\n'
    with Writer(source, version=8, storage_plugin=PLUGINS[storage]) as writer:
        odd = writer.add_connection(
            '/odd', ODD, msgdef=definition, rihs01='RIHS01_' + '7' * 64, offered_qos_profiles=[qos]
        )
        writer.add_connection('/empty', IMAGE, typestore=TYPESTORE)
        camera = writer.add_connection('/cam/image', IMAGE, typestore=TYPESTORE)
        writer.write(odd, START, b'\0\1\0\0whatever this is')
        writer.write(camera, START, image_bytes(START, np.zeros((8, 8, 3), np.uint8)))
        writer.set_custom_data('who', 'me')
    out = tmp_path / 'out'
    write_results(source, out, CLASSES, give_mask, choose_cameras(source))
    with Reader(out) as reader:
        found = {connection.topic: connection for connection in reader.connections}
        assert reader.storage.metadata.custom == {'who': 'me'}
        (data,) = (data for c, _, data in reader.messages() if c.topic == '/odd')
    assert bytes(data) == b'\0\1\0\0whatever this is'
    assert found['/odd'].msgdef.data == definition
    assert found['/odd'].digest == 'RIHS01_' + '7' * 64
    assert found['/odd'].ext.offered_qos_profiles == [qos]
    assert found['/empty'].msgcount == 0
    # What was added can be understood without ROS 2: its definitions are there.
    mask = found['/cam/segmentation/mask']
    assert IMAGE in get_types_from_msg(mask.msgdef.data, IMAGE)
    assert mask.digest == TYPESTORE.hash_rihs01(IMAGE) != NO_HASH


@pytest.mark.parametrize('mode', [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_a_compressed_bag_is_copied_unpacked(tmp_path, mode):
    source = write_raw(tmp_path / 'bag', frames(2), 'mcap', mode)
    out = tmp_path / 'out'
    write_results(source, out, CLASSES, lambda topic, stamp, logged: None, choose_cameras(source))
    assert messages_of(out) == messages_of(source) == messages_of(
        write_raw(tmp_path / 'plain', frames(2), 'mcap')
    )


def test_what_is_left_of_a_damaged_bag_is_copied(tmp_path):
    source = write_raw(tmp_path / 'bag', frames(200), 'sqlite3')
    file = storage_file(source)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    out = tmp_path / 'out'
    write_results(source, out, CLASSES, lambda topic, stamp, logged: None, choose_cameras(source))
    assert messages_of(out) == messages_of(source)
    assert BagReader(out).losses == []


@contextmanager
def full_disk(size):
    """No file may grow beyond `size` bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize('storage', STORAGES)
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path, storage):
    source = write_raw(tmp_path / 'bag', frames(40), storage)
    cameras = choose_cameras(source)
    mask = np.zeros((200, 200), np.uint8)
    (tmp_path / 'new').mkdir()
    with full_disk(200_000), pytest.raises(InputError, match='cannot be written') as caught:
        write_results(
            source, tmp_path / 'new' / 'out', CLASSES, lambda topic, stamp, logged: mask, cameras
        )
    assert '\n' not in str(caught.value)
    assert list((tmp_path / 'new').iterdir()) == []


def test_an_existing_path_is_kept(tmp_path):
    source = write_raw(tmp_path / 'bag', frames(1))
    with pytest.raises(InputError, match='exists already'):
        write_results(source, source, CLASSES, give_mask, choose_cameras(source))
    assert BagReader(source).frames == 1
