# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small bags for tests, sound and damaged; written with rosbags, as it writes those of users."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from ruamel.yaml import YAML

from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE, TYPESTORE
from mbu_ros.bags.messages import make_compressed_image, make_header, make_image
from mbu_ros.bags.writer import BagWriter
from mbu_ros.data.sample import Sample

START = 1_700_000_000_123_456_789
STORAGES = ('mcap', 'sqlite3')
"""Names of both, as this package calls them."""
PLUGINS = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}


def make_samples(count: int, *, labels: bool = True, height: int = 6, width: int = 10) -> list:
    random = np.random.default_rng(3)
    return [
        Sample(
            f'frame{index}',
            random.integers(0, 256, (height, width, 3), dtype=np.uint8),
            random.choice([0, 1, 255], (height, width)).astype(np.uint8) if labels else None,
            index / 8,
        )
        for index in range(count)
    ]


def write_bag(path: Path, samples: list, **options: object) -> Path:
    with BagWriter(path, start=START, **options) as bag:
        for sample in samples:
            bag.write(sample)
    return path


def write_raw(
    path: Path,
    messages: list[tuple[str, int, bytes]],
    storage: str = 'sqlite3',
    mode: CompressionMode = CompressionMode.NONE,
) -> Path:
    """A bag of messages by topic, log time and data, whatever the data are.

    Topics that end in 'compressed' are CompressedImage, all others Image.
    """
    connections = {}
    writer = Writer(path, version=8, storage_plugin=PLUGINS[storage])
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        for topic, time, data in messages:
            if topic not in connections:
                kind = COMPRESSED_IMAGE if topic.endswith('compressed') else IMAGE
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPESTORE)
            writer.write(connections[topic], time, data)
    return path


def image_bytes(stamp: int, pixels: np.ndarray, encoding: str = 'rgb8') -> bytes:
    message = make_image(make_header(stamp), pixels, encoding)
    return bytes(TYPESTORE.serialize_cdr(message, IMAGE))


def jpeg_bytes(stamp: int, pixels: np.ndarray) -> bytes:
    message = make_compressed_image(make_header(stamp), pixels)
    return bytes(TYPESTORE.serialize_cdr(message, COMPRESSED_IMAGE))


def image_and_label(index: int, stamp: int) -> list[tuple[str, int, bytes]]:
    """A frame of /cam/image and its label in /cam/label, both of the value `index`."""
    image = np.full((8, 10, 3), index, np.uint8)
    label = np.full((8, 10), index, np.uint8)
    return [
        ('/cam/label', stamp, image_bytes(stamp, label, 'mono8')),
        ('/cam/image', stamp, image_bytes(stamp, image)),
    ]


def frames(count: int, first: int = 0) -> list[tuple[str, int, bytes]]:
    """Messages of `count` such frames, ten a second."""
    return [
        message
        for index in range(first, first + count)
        for message in image_and_label(index, START + index * 10**8)
    ]


def storage_file(bag: Path) -> Path:
    """The storage file of a bag that has one."""
    (file,) = (path for path in bag.iterdir() if path.suffix in ('.mcap', '.db3'))
    return file


def join(path: Path, parts: list[Path]) -> Path:
    """One split bag of bags of one file each, as rosbag2 writes it; the parts are gone then."""
    yaml = YAML(typ='safe')
    path.mkdir()
    contents = []
    for number, part in enumerate(parts):
        contents.append(yaml.load(part / 'metadata.yaml')['rosbag2_bagfile_information'])
        (name,) = contents[-1]['relative_file_paths']
        new = f'{path.name}_{number}{name[name.index(".") :]}'
        (part / name).rename(path / new)
        contents[-1]['files'][0]['path'] = new
        contents[-1]['relative_file_paths'] = [new]
    whole = contents[0]
    for content in contents[1:]:
        whole['relative_file_paths'] += content['relative_file_paths']
        whole['files'] += content['files']
        whole['message_count'] += content['message_count']
        start = whole['starting_time']['nanoseconds_since_epoch']
        end = content['starting_time']['nanoseconds_since_epoch']
        whole['duration']['nanoseconds'] = end - start + content['duration']['nanoseconds']
        for one, other in zip(
            whole['topics_with_message_count'], content['topics_with_message_count']
        ):
            one['message_count'] += other['message_count']
    with (path / 'metadata.yaml').open('w') as file:
        yaml.dump({'rosbag2_bagfile_information': whole}, file)
    return path


def values(samples: Iterable[Sample]) -> list[int]:
    """The value of which each frame's image is."""
    return [int(sample.image[0, 0, 0]) for sample in samples]
