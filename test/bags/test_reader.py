# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags that were written and read again, and bags that cannot be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rosbags.rosbag2 import Writer

from mbu_ros.bags.format import IMAGE, TYPESTORE, stamp_name, stamp_nanoseconds
from mbu_ros.bags.messages import make_header, make_image
from mbu_ros.bags.reader import BagReader, decode
from mbu_ros.bags.writer import BagWriter
from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.errors import InputError
from mbu_ros.imaging import messages as imaging

from .bag_files import (
    START,
    STORAGES,
    frames,
    image_bytes,
    make_samples,
    values,
    write_bag,
    write_raw,
)

CLASSES = ClassMap(('road', 'crop é'), ((128, 64, 128), (0, 255, 0)))


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('image_format', ['raw', 'jpeg'])
def test_frames_come_back(tmp_path, storage, image_format):
    samples = make_samples(5)
    path = write_bag(tmp_path / 'bag', samples, storage=storage, image_format=image_format)
    bag = BagReader(path)
    assert bag.frames == 5
    assert bag.label_topic == '/camera/label'
    read = list(bag.samples())
    assert [s.name for s in read] == [stamp_name(START + i * 125_000_000) for i in range(5)]
    assert [s.time for s in read] == [0, 0.125, 0.25, 0.375, 0.5]
    for sample, written in zip(read, samples):
        assert sample.image.dtype == np.uint8 and sample.image.shape == written.image.shape
        assert np.array_equal(sample.label, written.label)
        if image_format == 'raw':
            assert np.array_equal(sample.image, written.image)
    assert [s.name for s in bag.samples(limit=2)] == [s.name for s in read[:2]]


def test_jpeg_keeps_a_picture_and_its_colours(tmp_path):
    image = np.zeros((32, 48, 3), np.uint8)
    image[:, :24] = (200, 40, 90)
    image[:, 24:] = (20, 160, 230)
    path = write_bag(tmp_path / 'bag', [Sample('a', image)], image_format='jpeg')
    bag = BagReader(path)
    assert bag.image_topic == '/camera/image_raw/compressed'
    (read,) = bag.samples()
    assert read.label is None
    assert np.abs(read.image[:, 4:20].astype(int) - (200, 40, 90)).max() < 8
    assert np.abs(read.image[:, 28:44].astype(int) - (20, 160, 230)).max() < 8


def test_a_single_storage_file_is_a_bag(tmp_path):
    path = write_bag(tmp_path / 'bag', make_samples(2))
    assert len(list(BagReader(path / 'bag.mcap').samples())) == 2


def test_all_messages_of_a_frame_share_stamp_and_log_time(tmp_path):
    path = write_bag(tmp_path / 'bag', make_samples(3))
    by_time: dict[int, set[str]] = {}
    for message in BagReader(path).messages():
        decoded = decode(message)
        assert stamp_nanoseconds(decoded) == message.time
        assert decoded.header.frame_id == 'camera'
        by_time.setdefault(message.time, set()).add(message.topic)
    assert list(by_time) == [START, START + 125_000_000, START + 250_000_000]
    topics = {'/camera/image_raw', '/camera/label', '/camera/camera_info'}
    assert all(found == topics for found in by_time.values())


def test_camera_info_describes_a_camera_of_the_image_size(tmp_path):
    path = write_bag(tmp_path / 'bag', make_samples(1, height=30, width=40))
    (info,) = (decode(m) for m in BagReader(path).messages({'/camera/camera_info'}))
    assert (info.height, info.width, info.distortion_model) == (30, 40, 'plumb_bob')
    matrix = info.k.reshape(3, 3)
    left = np.linalg.inv(matrix) @ (-0.5, 14.5, 1)
    right = np.linalg.inv(matrix) @ (39.5, 14.5, 1)
    assert np.degrees(np.arctan2(right[0], 1) - np.arctan2(left[0], 1)) == pytest.approx(60)
    assert np.array_equal(info.p.reshape(3, 4)[:, :3], matrix)


def test_samples_without_time_follow_the_rate(tmp_path):
    samples = [Sample(s.name, s.image) for s in make_samples(3)]
    path = write_bag(tmp_path / 'bag', samples, rate_hz=4.0)
    assert [s.time for s in BagReader(path).samples()] == [0, 0.25, 0.5]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_classes_are_kept(tmp_path, storage):
    path = write_bag(tmp_path / 'bag', make_samples(1), classes=CLASSES, storage=storage)
    assert BagReader(path).classes == CLASSES
    assert BagReader(write_bag(tmp_path / 'none', make_samples(1))).classes is None


def test_an_existing_path_is_not_overwritten(tmp_path):
    path = write_bag(tmp_path / 'bag', make_samples(1))
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    with pytest.raises(InputError, match='exists already'):
        write_bag(path, make_samples(2))
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_failed_write_leaves_nothing(tmp_path, storage):
    good, other = make_samples(2)
    bad = Sample('bad', other.image, np.zeros((3, 3), np.uint8))
    with pytest.raises(InputError, match='bad.*one size'):
        write_bag(tmp_path / 'bag', [good, bad], storage=storage)
    with pytest.raises(InputError, match='no frame to write'):
        write_bag(tmp_path / 'bag', [], storage=storage)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_one_error(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written'):
        write_bag(tmp_path / 'file' / 'bag', make_samples(1))


def test_options_are_checked(tmp_path):
    for options in ({'storage': 'zip'}, {'image_format': 'gif'}, {'rate_hz': 0.0}):
        with pytest.raises(InputError):
            BagWriter(tmp_path / 'bag', **options)


def test_missing_topics_list_those_that_exist(tmp_path):
    path = write_bag(tmp_path / 'bag', make_samples(2))
    for options in ({'image_topic': '/left'}, {'label_topic': '/truth'}):
        with pytest.raises(InputError, match=r'no topic /\w+.*/camera/image_raw .*2 messages'):
            BagReader(path, **options)
    with pytest.raises(InputError, match='is sensor_msgs/msg/CameraInfo, not'):
        BagReader(path, image_topic='/camera/camera_info')


def test_several_cameras_must_be_chosen_from(tmp_path):
    pixels = np.zeros((4, 4, 3), np.uint8)
    path = write_raw(
        tmp_path / 'bag',
        [(t, START, image_bytes(START, pixels)) for t in ('/left', '/right', '/right/mask')],
    )
    with pytest.raises(InputError, match='several image topics.*--image-topic.*/left.*/right'):
        BagReader(path)
    assert BagReader(path, image_topic='/right').frames == 1


def test_a_bag_without_images_is_one_error(tmp_path):
    pixels = np.zeros((4, 4), np.uint8)
    path = write_raw(tmp_path / 'bag', [('/label', START, image_bytes(START, pixels, 'mono8'))])
    with pytest.raises(InputError, match='no image topic.*/label'):
        BagReader(path)


def test_a_topic_without_messages_is_one_error(tmp_path):
    with Writer(tmp_path / 'bag', version=8) as writer:
        writer.add_connection('/camera', IMAGE, typestore=TYPESTORE)
    with pytest.raises(InputError, match='no image in /camera'):
        BagReader(tmp_path / 'bag')


def test_what_is_no_bag_is_one_error(tmp_path):
    with pytest.raises(InputError, match='no such bag'):
        BagReader(tmp_path / 'missing')
    with pytest.raises(InputError, match='metadata.yaml'):
        BagReader(tmp_path)
    text = tmp_path / 'notes.txt'
    text.write_text('no bag')
    with pytest.raises(InputError, match='no readable bag'):
        BagReader(text)


def test_labels_are_matched_by_stamp_not_by_order(tmp_path):
    images = [np.full((4, 4, 3), value, np.uint8) for value in range(40)]
    labels = [np.full((4, 4), value, np.uint8) for value in range(40)]
    stamps = [START + i * 10**8 for i in range(40)]
    messages = [('/cam', t, image_bytes(t, image)) for t, image in zip(stamps, images)]
    # Every third frame has a label, logged three frames late or one early.
    for index in range(1, 37, 3):
        late = 3 if index % 2 else -1
        data = image_bytes(stamps[index], labels[index], 'mono8')
        messages.append(('/label', stamps[index + late] + 5, data))
    messages.sort(key=lambda message: message[1])
    read = list(BagReader(write_raw(tmp_path / 'bag', messages)).samples())
    assert [s.image[0, 0, 0] for s in read] == list(range(40))
    for index, sample in enumerate(read):
        if index in range(1, 37, 3):
            assert sample.label[0, 0] == index
        else:
            assert sample.label is None


def test_bad_messages_are_counted_and_skipped(tmp_path, log_lines):
    lines = log_lines('mbu_ros.bags.reader')
    pixels = np.zeros((4, 4, 3), np.uint8)
    good = image_bytes(START, pixels)
    short = good[:30]  # ends inside the header
    unknown = image_bytes(START + 2, pixels, 'rgb99')
    last = image_bytes(START + 3, pixels)
    messages = (good, short, unknown, last)
    path = write_raw(tmp_path / 'bag', [('/cam', START + i, m) for i, m in enumerate(messages)])
    bag = BagReader(path)
    assert [s.name for s in bag.samples()] == [stamp_name(START), stamp_name(START + 3)]
    assert bag.skipped == 2
    assert len(lines) == 2 and 'rgb99' in lines[1]


def test_no_usable_image_is_one_error(tmp_path):
    pixels = np.zeros((4, 4, 3), np.uint8)
    path = write_raw(tmp_path / 'bag', [('/cam', START, image_bytes(START, pixels, 'rgb99'))])
    with pytest.raises(InputError, match='none of the 1 images.*rgb99'):
        list(BagReader(path).samples())


def test_labels_that_do_not_fit_are_counted_and_their_frames_go_on(tmp_path, log_lines):
    lines = log_lines('mbu_ros.bags.reader')
    messages = frames(4)
    small, unknown = np.zeros((4, 5), np.uint8), np.full((8, 10), 9, np.uint8)
    messages[0] = ('/cam/label', START, image_bytes(START, small, 'mono8'))
    stamp = messages[2][1]
    messages[2] = ('/cam/label', stamp, image_bytes(stamp, unknown, 'mono8'))
    messages[4] = ('/cam/label', messages[4][1], messages[4][2][:20])
    bag = BagReader(write_raw(tmp_path / 'bag', messages), label_classes=4)
    read = list(bag.samples())
    assert values(read) == [0, 1, 2, 3]
    assert [s.label is not None for s in read] == [False, False, False, True]
    assert (bag.unusable_labels, bag.unmatched_labels, bag.skipped) == (3, 0, 0)
    text = '\n'.join(lines)
    assert '5x4 but its image 10x8' in text
    assert 'value 9 is neither one of the 4 classes (0 to 3) nor 255' in text
    assert 'label logged at' in text


def test_the_number_of_classes_may_come_from_the_bag(tmp_path):
    samples = make_samples(2)
    samples[1].label[:] = 2
    bag = BagReader(write_bag(tmp_path / 'bag', samples, classes=CLASSES))
    assert [s.label is not None for s in bag.samples()] == [True, False]
    assert bag.unusable_labels == 1


def test_frames_may_be_of_different_sizes(tmp_path):
    sizes = [(8, 10), (6, 4), (8, 10)]
    messages = []
    for index, (height, width) in enumerate(sizes):
        stamp = START + index
        label = np.full((height, width), index, np.uint8)
        image = np.full((height, width, 3), index, np.uint8)
        messages.append(('/label', stamp, image_bytes(stamp, label, 'mono8')))
        messages.append(('/cam', stamp, image_bytes(stamp, image)))
    read = list(BagReader(write_raw(tmp_path / 'bag', messages)).samples())
    assert [s.image.shape[:2] for s in read] == sizes
    assert [s.label.shape for s in read] == sizes


def test_samples_carry_their_stamps(tmp_path):
    read = list(BagReader(write_raw(tmp_path / 'bag', frames(3))).samples())
    assert [s.stamp for s in read] == [START, START + 10**8, START + 2 * 10**8]


def test_a_label_topic_can_be_refused(tmp_path):
    bag = BagReader(write_raw(tmp_path / 'bag', frames(2)), label_topic='')
    assert bag.label_topic is None
    assert all(sample.label is None for sample in bag.samples())


@pytest.mark.parametrize('storage', STORAGES)
def test_spans_of_log_time_add_up_to_the_whole(tmp_path, storage):
    messages = frames(12)
    # Two labels without an image, one of them at a border, and one logged long after its image.
    for offset in (5, 4 * 10**8 - 1):
        data = image_bytes(START + offset, np.zeros((8, 10), np.uint8), 'mono8')
        messages.append(('/cam/label', START + offset, data))
    topic, time, data = messages[2]
    messages[2] = (topic, time + 7 * 10**8, data)
    messages.sort(key=lambda message: message[1])
    bag = BagReader(write_raw(tmp_path / 'bag', messages, storage))
    assert (bag.start, bag.end) == (START, START + 11 * 10**8 + 1)
    assert bag.seekable
    whole = list(bag.samples())
    assert values(whole) == list(range(12))
    assert [s.label[0, 0] for s in whole] == list(range(12))
    assert bag.unmatched_labels == 2
    borders = [bag.start, START + 3 * 10**8, START + 4 * 10**8, START + 9 * 10**8 + 1, bag.end]
    parts, unmatched = [], 0
    for start, stop in zip(borders, borders[1:]):
        parts += bag.samples(start=start, stop=stop)
        unmatched += bag.unmatched_labels
    assert [(s.name, s.time) for s in parts] == [(s.name, s.time) for s in whole]
    assert all(np.array_equal(a.label, b.label) for a, b in zip(parts, whole))
    assert unmatched == 2
    assert list(bag.samples(start=bag.end, stop=bag.end + 5)) == []


def test_images_before_a_span_are_not_decoded(tmp_path, monkeypatch):
    bag = BagReader(write_raw(tmp_path / 'bag', frames(10)), label_tolerance=10**7)
    seen = []

    def to_rgb(message):
        seen.append(stamp_nanoseconds(message))
        return imaging.to_rgb(message)

    monkeypatch.setattr('mbu_ros.bags.reader.to_rgb', to_rgb)
    start = START + 6 * 10**8
    assert values(bag.samples(2, start=start)) == [6, 7]
    assert seen == [start, start + 10**8]


def test_messages_of_several_topics_come_by_log_time(tmp_path):
    messages = frames(6)
    bag = BagReader(write_raw(tmp_path / 'bag', messages[::-1], 'mcap'))
    read = list(bag.messages({'/cam/image', '/cam/label'}))
    assert [m.time for m in read] == sorted(m[1] for m in messages)
    stamp = START + 2 * 10**8
    assert [m.time for m in bag.messages(None, stamp, stamp + 10**8)] == [stamp, stamp]


def test_an_impossible_tolerance_is_one_error(tmp_path):
    path = write_raw(tmp_path / 'bag', frames(1))
    for tolerance in (-1, 2 * 10**9):
        with pytest.raises(InputError, match='label tolerance of .* ms is not possible'):
            BagReader(path, label_tolerance=tolerance)


@pytest.mark.parametrize('storage', STORAGES)
def test_every_encoding_of_the_node_is_read(tmp_path, storage):
    random = np.random.default_rng(2)
    messages, expected = [], []
    for index, encoding in enumerate(imaging.ENCODINGS):
        message = make_image(make_header(START + index), np.zeros((4, 6), np.uint8), encoding)
        rows, step = imaging.check_size(encoding, 4, 6, 6 * 8)
        data = random.integers(0, 256, rows * step, dtype=np.uint8)
        message = replace(message, step=step, data=data)
        messages.append(('/cam', START + index, bytes(TYPESTORE.serialize_cdr(message, IMAGE))))
        expected.append(imaging.to_rgb(message))
    read = list(BagReader(write_raw(tmp_path / 'bag', messages, storage)).samples())
    assert len(read) == len(imaging.ENCODINGS)
    for sample, image in zip(read, expected):
        assert np.array_equal(sample.image, image)


def in_spans(bag, count):
    """All samples read in so many spans, and the sums of labels unmatched and images skipped."""
    length = bag.end - bag.start
    borders = [bag.start + length * index // count for index in range(count + 1)]
    read, unmatched, skipped = [], 0, 0
    for start, stop in zip(borders, borders[1:]):
        read += bag.samples(start=start, stop=stop)
        unmatched += bag.unmatched_labels
        skipped += bag.skipped
    return read, unmatched, skipped


def test_a_damaged_first_image_is_skipped_once_however_a_bag_is_read(tmp_path):
    messages = [('/cam/image', START - 10**8, b'\0\1\0\0no image'), *frames(8)]
    path = write_raw(tmp_path / 'bag', messages)
    bag = BagReader(path)
    whole = list(bag.samples())
    assert bag.skipped == 1
    # As the parts of an evaluation do, each with a reader of its own.
    skipped = 0
    for start in range(bag.start, bag.end, 3 * 10**8):
        part = BagReader(path)
        assert all(s.time == whole[0].time + (s.stamp - START) / 10**9
                   for s in part.samples(start=start, stop=start + 3 * 10**8))
        skipped += part.skipped
    assert skipped == 1


@pytest.mark.parametrize('late', [-3, 3])
def test_the_first_frames_leave_no_label_over(tmp_path, late):
    messages = frames(8)
    for index in range(0, len(messages), 2):  # labels are logged earlier or later than images
        topic, time, data = messages[index]
        messages[index] = topic, time + late * 10**7, data
    messages.sort(key=lambda message: message[1])
    bag = BagReader(write_raw(tmp_path / 'bag', messages))
    read = list(bag.samples(3))
    assert all(sample.label is not None for sample in read)
    assert bag.unmatched_labels == 0
    read = list(bag.samples(9, start=bag.start, stop=START + 4 * 10**8 + 1))
    assert len(read) == 5 and all(sample.label is not None for sample in read)
    assert bag.unmatched_labels == 0


@pytest.mark.parametrize('spans', [1, 2, 3, 5, 12])
def test_a_label_goes_to_one_of_the_images_with_its_stamp(tmp_path, spans):
    messages = []
    for index in range(12):  # each image twice, 100 ms apart
        time, stamp = START + index * 10**8, START + index // 2 * 2 * 10**8
        messages.append(('/cam/image', time, image_bytes(stamp, np.zeros((8, 10, 3), np.uint8))))
        if index % 2 == 0:
            label = image_bytes(stamp, np.zeros((8, 10), np.uint8), 'mono8')
            messages.append(('/cam/label', time + 10**7, label))
    bag = BagReader(write_raw(tmp_path / 'bag', messages))
    read, unmatched, _ = in_spans(bag, spans)
    assert [sample.label is not None for sample in read] == [True, False] * 6
    assert unmatched == 0


def test_images_of_one_stamp_are_told_apart(tmp_path):
    data = image_bytes(0, np.zeros((8, 10, 3), np.uint8))
    times = [START, START, START, START + 1]
    bag = BagReader(write_raw(tmp_path / 'bag', [('/cam/image', time, data) for time in times]))
    expected = [(START, 0), (START, 1), (START, 2), (START + 1, 0)]
    assert [sample.logged for sample in bag.samples()] == expected
    assert {sample.stamp for sample in bag.samples()} == {0}


def test_a_loss_is_said_once_however_often_a_bag_is_opened(tmp_path, log_lines):
    lines = log_lines('mbu_ros.bags.bag')
    path = write_raw(tmp_path / 'bag', frames(2))
    (path / 'metadata.yaml').unlink()
    assert BagReader(path).losses == BagReader(path).losses != []
    assert len(lines) == 1
