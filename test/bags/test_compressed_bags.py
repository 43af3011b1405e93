# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags compressed by message, by chunk and by file, in both storages."""

from __future__ import annotations

import tempfile
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from rosbags.rosbag2 import CompressionMode
from ruamel.yaml import YAML

from mbu_ros.bags.cameras import choose_cameras
from mbu_ros.bags.reader import BagReader
from mbu_ros.errors import InputError

from .bag_files import (
    START,
    STORAGES,
    frames,
    join,
    make_samples,
    storage_file,
    values,
    write_bag,
    write_raw,
)

CASES = [
    ('mcap', CompressionMode.MESSAGE),
    ('mcap', CompressionMode.FILE),
    ('mcap', CompressionMode.STORAGE),
    ('sqlite3', CompressionMode.MESSAGE),
    ('sqlite3', CompressionMode.FILE),
]


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path / 'temporary'
    folder.mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(folder))
    return folder


@pytest.mark.parametrize('storage, mode', CASES)
def test_a_compressed_bag_reads_as_if_it_were_not(tmp_path, unpacked, storage, mode):
    path = write_raw(tmp_path / 'bag', frames(6), storage, mode)
    plain = BagReader(write_raw(tmp_path / 'plain', frames(6), storage))
    bag = BagReader(path)
    assert list(bag.messages()) == list(plain.messages())
    assert (bag.topics, bag.start, bag.end) == (plain.topics, plain.start, plain.end)
    assert values(bag.samples()) == list(range(6))
    assert all(sample.label is not None for sample in bag.samples())
    assert values(bag.samples(start=START + 2 * 10**8, stop=START + 4 * 10**8)) == [2, 3]
    assert bag.losses == []
    assert bag.seekable == (mode != CompressionMode.FILE)
    assert list(unpacked.iterdir()) == []


@pytest.mark.parametrize('storage', STORAGES)
def test_one_file_at_a_time_is_unpacked(tmp_path, unpacked, storage):
    parts = [
        write_raw(tmp_path / f'part{n}', frames(3, first=3 * n), storage, CompressionMode.FILE)
        for n in range(3)
    ]
    path = join(tmp_path / 'bag', parts)
    choose_cameras(path)  # metadata.yaml says all that is to be known
    bag = BagReader(path, label_topic='')
    assert list(unpacked.iterdir()) == []
    seen = []
    for sample in bag.samples():
        seen += values([sample])
        assert len(list(unpacked.iterdir())) == 1
    assert seen == list(range(9))
    reading = bag.samples()
    next(reading)
    reading.close()
    assert list(unpacked.iterdir()) == []


@pytest.mark.parametrize('storage', STORAGES)
def test_files_compressed_with_lz4_and_without_metadata(tmp_path, unpacked, storage):
    path = write_raw(tmp_path / 'bag', frames(4), storage)
    (path / 'metadata.yaml').unlink()
    (file,) = path.iterdir()
    Path(f'{file}.lz4').write_bytes(lz4.frame.compress(file.read_bytes()))
    file.unlink()
    assert values(BagReader(path).samples()) == [0, 1, 2, 3]


@pytest.mark.parametrize('pack', [zstandard.compress, lz4.frame.compress])
def test_messages_compressed_by_others(tmp_path, pack):
    messages = [(topic, time, pack(data)) for topic, time, data in frames(3)]
    assert values(BagReader(write_raw(tmp_path / 'bag', messages)).samples()) == [0, 1, 2]


def test_damaged_compressed_messages_are_skipped(tmp_path):
    messages = [(topic, time, zstandard.compress(data)) for topic, time, data in frames(4)]
    for index, damage in ((3, lambda data: data[:-20]), (5, lambda data: data[:9] + b'\xff' * 40)):
        topic, time, data = messages[index]
        messages[index] = (topic, time, damage(data))
    bag = BagReader(write_raw(tmp_path / 'bag', messages))
    assert values(bag.samples()) == [0, 3]
    assert bag.skipped == 2


@pytest.mark.parametrize('storage', STORAGES)
def test_of_a_compressed_file_cut_off_the_beginning_is_read(tmp_path, unpacked, storage):
    path = write_bag(tmp_path / 'bag', make_samples(20, height=60, width=80), storage=storage)
    file = storage_file(path)
    packed = zstandard.compress(file.read_bytes())
    Path(f'{file}.zstd').write_bytes(packed[: len(packed) * 2 // 3])
    file.unlink()
    yaml = YAML(typ='safe')
    content = yaml.load(path / 'metadata.yaml')
    information = content['rosbag2_bagfile_information']
    information.update(
        compression_format='zstd',
        compression_mode='FILE',
        relative_file_paths=[f'{file.name}.zstd'],
    )
    with (path / 'metadata.yaml').open('w') as text:
        yaml.dump(content, text)
    bag = BagReader(path)
    read = list(bag.samples())
    assert 10 <= len(read) <= 14
    assert bag.losses
    assert list(unpacked.iterdir()) == []


def test_no_room_to_unpack_is_one_error(tmp_path, monkeypatch):
    path = write_raw(tmp_path / 'bag', frames(3), 'mcap', CompressionMode.FILE)
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'missing'))
    with pytest.raises(InputError, match='nowhere to unpack'):
        list(BagReader(path).samples())
