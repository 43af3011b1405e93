# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags that are cut off, damaged, incomplete or still being written: what can be read is read."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter

from mbu_ros.bags.format import IMAGE, TYPESTORE
from mbu_ros.bags.reader import BagReader
from mbu_ros.errors import InputError

from .bag_files import (
    START,
    STORAGES,
    frames,
    image_bytes,
    join,
    make_samples,
    storage_file,
    values,
    write_bag,
    write_raw,
)


def write_mcap(path: Path, messages: list, **options: object) -> Path:
    """The same as `write_raw`, with the options of mcap's own writer."""
    with path.open('wb') as file:
        writer = McapWriter(file, **options)
        writer.start(profile='ros2')
        text, _ = TYPESTORE.generate_msgdef(IMAGE, ros_version=2)
        schema = writer.register_schema(IMAGE, 'ros2msg', text.encode())
        topics = {topic: writer.register_channel(topic, 'cdr', schema) for topic, _, _ in messages}
        for topic, time, data in messages:
            writer.add_message(topics[topic], time, data, time)
        writer.finish()
    return path


@pytest.mark.parametrize('storage', STORAGES)
@pytest.mark.parametrize('share', [0.3, 0.7, 0.99])
def test_of_a_file_cut_off_the_beginning_is_read(tmp_path, storage, share):
    # 14 kB a frame: sqlite3 spreads a message over pages, mcap puts all into one chunk.
    samples = make_samples(20, height=60, width=80)
    path = write_bag(tmp_path / 'bag', samples, storage=storage)
    file = storage_file(path)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    bag = BagReader(path)
    read = list(bag.samples())
    assert len(read) == bag.frames
    assert 20 * share - 2 <= len(read) <= 20
    for sample, written in zip(read, samples):
        assert np.array_equal(sample.image, written.image)
        assert np.array_equal(sample.label, written.label)
    assert not bag.seekable
    assert any(file.name in loss for loss in bag.losses)
    if share < 0.9:
        assert any('of the 60 messages that metadata.yaml counts' in loss for loss in bag.losses)
    # Spans work all the same.
    after = bag.start + 4 * 125_000_000
    assert [s.name for s in bag.samples(start=after)] == [s.name for s in read[4:]]


@pytest.mark.parametrize('storage', STORAGES)
@pytest.mark.parametrize('size', [0, 10, 40])
def test_a_file_of_which_nothing_is_left_is_one_error(tmp_path, storage, size):
    path = write_raw(tmp_path / 'bag', frames(3), storage)
    file = storage_file(path)
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(InputError, match='no readable bag') as caught:
        BagReader(path)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('storage', STORAGES)
def test_a_bag_without_metadata_is_read(tmp_path, storage):
    path = write_raw(tmp_path / 'bag', frames(4), storage)
    (path / 'metadata.yaml').unlink()
    bag = BagReader(path)
    assert values(bag.samples()) == [0, 1, 2, 3]
    (loss,) = bag.losses
    assert 'metadata.yaml is missing' in loss


@pytest.mark.parametrize('text', ['', 'rosbag2_bagfile_information:\n  vers', '[1, 2]', '\0'])
def test_damaged_metadata_is_told(tmp_path, text):
    path = write_raw(tmp_path / 'bag', frames(4))
    (path / 'metadata.yaml').write_text(text)
    bag = BagReader(path)
    assert values(bag.samples()) == [0, 1, 2, 3]
    assert 'metadata.yaml: unreadable' in bag.losses[0]


@pytest.mark.parametrize('storage', STORAGES)
def test_of_a_split_bag_with_a_missing_file_the_others_are_read(tmp_path, storage):
    parts = [
        write_raw(tmp_path / f'part{n}', frames(4, first=4 * n), storage) for n in range(3)
    ]
    path = join(tmp_path / 'bag', parts)
    whole = BagReader(path)
    assert values(whole.samples()) == list(range(12))
    assert (whole.losses, whole.seekable, whole.frames) == ([], True, 12)
    (middle,) = path.glob('bag_1.*')
    middle.unlink()
    bag = BagReader(path)
    assert values(bag.samples()) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert f'{middle.name} is missing: 8 messages of 0.3 s from 1700000000.523' in bag.losses[0]
    assert '16 of the 24 messages' in bag.losses[1]


def test_split_files_without_metadata_are_read_in_order_of_time(tmp_path):
    parts = [
        write_raw(tmp_path / f'part{n}', frames(1, first=n), 'mcap') for n in range(12)
    ]
    path = join(tmp_path / 'bag', parts)
    (path / 'metadata.yaml').unlink()
    assert values(BagReader(path).samples()) == list(range(12))  # 10 comes after 9


def test_an_mcap_without_an_index_is_read(tmp_path):
    messages = frames(6)
    messages[4], messages[8] = messages[8], messages[4]
    path = write_mcap(
        tmp_path / 'bag.mcap',
        messages,
        use_chunking=False,
        index_types=IndexType.NONE,
        use_statistics=False,
        use_summary_offsets=False,
        repeat_channels=False,
        repeat_schemas=False,
    )
    bag = BagReader(path)
    assert values(bag.samples()) == [0, 1, 2, 3, 4, 5]
    assert all(sample.label is not None for sample in bag.samples())
    assert (bag.losses, bag.seekable, bag.start) == ([], False, START)


@pytest.mark.parametrize(
    'compression', [CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD]
)
def test_an_mcap_cut_off_within_a_compressed_chunk(tmp_path, compression):
    random = np.random.default_rng(1)
    messages = [
        ('/cam', START + i, image_bytes(START + i, random.integers(0, 256, (80, 80, 3), np.uint8)))
        for i in range(30)
    ]
    path = write_mcap(
        tmp_path / 'bag.mcap', messages, compression=compression, chunk_size=300_000
    )
    assert len(list(BagReader(path).samples())) == 30
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    bag = BagReader(path)
    # A decompressor gives whole blocks only.
    assert 10 <= len(list(bag.samples())) <= 15
    assert 'cut off at byte' in bag.losses[0]


def chunk_starts(path: Path) -> list[int]:
    with path.open('rb') as file:
        return [i.chunk_start_offset for i in make_reader(file).get_summary().chunk_indexes]


@pytest.mark.parametrize('length_too', [False, True])
def test_of_an_mcap_with_a_damaged_chunk_the_others_are_read(tmp_path, length_too):
    path = write_mcap(
        tmp_path / 'bag.mcap', frames(12), compression=CompressionType.NONE, chunk_size=1000
    )
    starts = chunk_starts(path)
    assert len(starts) >= 5
    content = bytearray(path.read_bytes())
    content[starts[2] + 400 : starts[2] + 404] = b'\xff\xff\xff\xff'
    if length_too:  # of the next one: where it ends, only the index says
        content[starts[3] + 3 : starts[3] + 7] = b'\xff\xff\xff\xff'
    path.write_bytes(content)
    bag = BagReader(path)
    assert bag.frames == 12  # the index says so
    read = values(bag.samples())
    assert read == sorted(set(read))
    assert 6 <= len(read) < 12
    assert {0, 1, 10, 11} <= set(read)
    assert any('damaged chunk was left out' in loss for loss in bag.losses)
    assert any('reading goes on at byte' in loss for loss in bag.losses) == length_too
    # Once more, now that it is known: the same.
    assert values(bag.samples()) == read


def test_of_a_database_with_damaged_pages_the_rest_is_read(tmp_path):
    samples = make_samples(20, height=60, width=80)
    path = write_bag(tmp_path / 'bag', samples, storage='sqlite3')
    file = storage_file(path)
    content = bytearray(file.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 3 * 4096] = bytes(3 * 4096)
    file.write_bytes(content)
    bag = BagReader(path)
    read = {s.name: s for s in bag.samples()}
    names = [s.name for s in BagReader(write_bag(tmp_path / 'sound', samples)).samples()]
    assert 15 <= len(read) < 20
    assert list(read) == [name for name in names if name in read]
    assert {names[0], names[1], names[-1]} <= set(read)
    for name, sample in zip(names, samples):
        if name in read:
            assert np.array_equal(read[name].image, sample.image)
    assert any('damaged' in loss for loss in bag.losses)


def open_database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    assert database.execute('PRAGMA journal_mode = WAL').fetchone() == ('wal',)
    return database


def insert(database: sqlite3.Connection, messages: list) -> None:
    topics = dict(database.execute('SELECT name, id FROM topics').fetchall())
    database.execute('BEGIN')
    for topic, time, data in messages:
        database.execute(
            'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)',
            (topics[topic], time, data),
        )
    database.execute('COMMIT')


def test_a_database_that_is_being_written_is_read_as_far_as_it_is(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(4))
    (path / 'metadata.yaml').unlink()
    file = storage_file(path)
    database = open_database(file)
    insert(database, frames(4, first=4))
    assert Path(f'{file}-wal').stat().st_size > 0
    bag = BagReader(path)
    assert values(bag.samples()) == list(range(8))
    # What is written later does not count: the bag ends where it ended when it was opened.
    insert(database, frames(4, first=8))
    assert values(bag.samples()) == list(range(8))
    assert values(BagReader(path).samples()) == list(range(12))
    assert any('still runs' in loss for loss in bag.losses)
    # The recorder is not disturbed.
    insert(database, frames(2, first=12))
    database.close()
    assert values(BagReader(path).samples()) == list(range(14))


def test_a_log_left_by_a_crash_is_read_and_stays(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(4))
    database = open_database(storage_file(path))
    insert(database, frames(4, first=4))
    crashed = tmp_path / 'crashed'
    shutil.copytree(path, crashed)
    database.close()
    before = {p.name: p.read_bytes() for p in crashed.iterdir() if not p.name.endswith('-shm')}
    assert values(BagReader(crashed).samples()) == list(range(8))
    after = {p.name: p.read_bytes() for p in crashed.iterdir() if not p.name.endswith('-shm')}
    assert after == before


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write to any folder')
def test_a_log_in_a_folder_that_cannot_be_written_to(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(4))
    database = open_database(storage_file(path))
    insert(database, frames(4, first=4))
    crashed = tmp_path / 'crashed'
    shutil.copytree(path, crashed)
    database.close()
    Path(f'{storage_file(crashed)}-shm').unlink()
    crashed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    bag = BagReader(crashed)
    assert values(bag.samples())[:4] == [0, 1, 2, 3]


def test_an_mcap_that_is_being_written_is_read_as_far_as_it_is(tmp_path):
    sound = write_mcap(
        tmp_path / 'whole.mcap', frames(20), compression=CompressionType.NONE, chunk_size=2000
    )
    whole = sound.read_bytes()
    path = tmp_path / 'bag.mcap'
    path.write_bytes(whole[: len(whole) // 2])
    bag = BagReader(path)
    read = values(bag.samples())
    assert read == list(range(len(read)))
    assert 0 < len(read) < 20
    with path.open('ab') as file:
        file.write(whole[len(whole) // 2 :])
    assert values(bag.samples()) == read
    assert values(BagReader(path).samples()) == list(range(20))


def test_messages_that_are_not_of_ros_2_are_left_out(tmp_path):
    path = tmp_path / 'bag.mcap'
    with path.open('wb') as file:
        writer = McapWriter(file)
        writer.start(profile='')
        schema = writer.register_schema('Thing', 'jsonschema', b'{}')
        channel = writer.register_channel('/things', 'json', schema)
        writer.add_message(channel, START, b'{}', START)
        text, _ = TYPESTORE.generate_msgdef(IMAGE, ros_version=2)
        schema = writer.register_schema(IMAGE, 'ros2msg', text.encode())
        channel = writer.register_channel('/cam', 'cdr', schema)
        image = np.full((4, 4, 3), 7, np.uint8)
        writer.add_message(channel, START, image_bytes(START, image), START)
        writer.finish()
    bag = BagReader(path)
    assert values(bag.samples()) == [7]
    assert '/things was left out: its messages are json' in bag.losses[0]


def test_a_database_of_an_older_release(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(3))
    database = sqlite3.connect(storage_file(path))
    # As Foxy wrote it: no definitions, no hashes.
    database.executescript(
        'DROP TABLE message_definitions; DROP TABLE schema; DROP TABLE metadata;'
        'ALTER TABLE topics DROP COLUMN type_description_hash;'
    )
    database.close()
    assert values(BagReader(path).samples()) == [0, 1, 2]
    assert BagReader(path).losses == []
    # And the same cut off.
    file = storage_file(path)
    file.write_bytes(file.read_bytes()[:-4096])
    bag = BagReader(path)
    assert 'damaged, read row by row' in bag.losses[0]
    assert values(bag.samples()) == [0, 1, 2][: bag.frames]


def test_a_tree_of_pages_that_leads_in_a_circle_has_an_end(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(40))
    (path / 'metadata.yaml').unlink()
    file = storage_file(path)
    database = sqlite3.connect(file)
    ((root,),) = database.execute('SELECT rootpage FROM sqlite_master WHERE name = "messages"')
    database.close()
    content = bytearray(file.read_bytes())
    start = (root - 1) * 4096
    assert content[start] == 5  # a page of pointers to pages
    first_cell = int.from_bytes(content[start + 12 : start + 14], 'big')
    # Where the last rows should be, the first ones are once more.
    content[start + 8 : start + 12] = content[start + first_cell : start + first_cell + 4]
    file.write_bytes(content)
    Path(f'{file}-wal').write_bytes(b'a log, so that the file is read row by row')
    bag = BagReader(path)
    read = values(bag.samples())
    assert read == list(range(len(read)))
    assert 20 <= len(read) < 40
    assert any('damaged from row' in loss for loss in bag.losses)


def test_text_that_is_no_unicode_is_read(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(3))
    database = sqlite3.connect(storage_file(path))
    database.execute(
        "UPDATE message_definitions SET encoded_message_definition = CAST(x'fffe0a0a' AS TEXT)"
    )
    database.commit()
    database.close()
    bag = BagReader(path)
    assert values(bag.samples()) == [0, 1, 2]
    assert '\n' not in ''.join(bag.losses)
