# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plans: their parts hold each frame of the source once, in order."""

import shutil
from dataclasses import replace

import pytest

from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.evaluation import spans
from mbu_ros.evaluation.parts import PartCounts
from mbu_ros.evaluation.plan import camera_sequence, plan_bags, plan_scenes, plan_tree

OTHER = ClassMap(('void', 'ground'), ((0, 0, 0), (9, 9, 9)))


def names(part):
    return [sample.name for sample in part.samples(PartCounts())]


def stamps(plan):
    return [s.stamp for part in plan.parts for s in part.samples(PartCounts())]


def test_parts_of_a_tree(write_tree, model, tmp_path):
    plan = plan_tree(write_tree(tmp_path / 'data', 35), 'val', model.classes)
    assert [part.frames for part in plan.parts] == [12, 12, 11] and plan.frames == 35
    read = [name for part in plan.parts for name in names(part)]
    assert read == [f'{i:03d}' for i in range(35)]
    assert (plan.source, len(plan.files)) == ('random (val)', 71)  # and dataset.json


def test_the_first_frames_of_a_tree(write_tree, model, tmp_path):
    plan = plan_tree(write_tree(tmp_path / 'data', 20), 'val', model.classes, limit=17)
    first, second = (names(part) for part in plan.parts)
    assert (len(first), second[0], second[-1]) == (9, '009', '016') and plan.frames == 17


def test_a_tree_of_other_classes(write_tree, tmp_path):
    with pytest.raises(InputError, match='void, ground'):
        plan_tree(write_tree(tmp_path / 'data', 1), 'val', OTHER)


def test_each_generated_drive_is_a_part_and_a_film():
    plan = plan_scenes('val', 22)
    assert [part.frames for part in plan.parts] == [20, 2] and plan.frames == 22
    assert [part.sequence for part in plan.parts] == ['drive000001', 'drive000004']
    first, second = plan.parts[1].samples(PartCounts())
    assert (first.name, second.name) == ('drive000004_0000', 'drive000004_0001')
    assert (first.time, second.time) == (0.0, 0.1) and first.label is not None


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_parts_of_a_bag(write_bag, model, tmp_path, storage):
    path = write_bag(tmp_path / 'drive', 40, storage=storage)
    plan = plan_bags([path], model.classes)
    assert len(plan.parts) == 3 and plan.frames == 40 and plan.source == 'drive'
    assert stamps(plan) == [10**18 + i * 10**8 for i in range(40)]
    assert all(part.topic == '/camera/image_raw' for part in plan.parts)
    assert {part.sequence for part in plan.parts} == {'drive:/camera/image_raw'}
    counts = PartCounts()
    labelled = [s.label is not None for part in plan.parts for s in part.samples(counts)]
    assert all(labelled) and counts == PartCounts()
    assert [bag.name for bag in plan.bags] == ['drive']
    assert set(plan.files) == set(path.iterdir())


@pytest.mark.parametrize('limit', [1, 16, 17, 39, 40, 99])
def test_the_first_frames_of_a_bag(write_bag, model, tmp_path, limit):
    path = write_bag(tmp_path / 'drive', 40)
    plan = plan_bags([path], model.classes, limit=limit)
    frames = min(limit, 40)
    assert stamps(plan) == [10**18 + i * 10**8 for i in range(frames)]
    assert plan.frames == frames == sum(part.frames for part in plan.parts) or limit >= 40


def test_the_parts_of_a_long_bag_are_bounded_in_number(write_bag, model, tmp_path, monkeypatch):
    monkeypatch.setattr(spans, 'PART_FRAMES', 2)
    monkeypatch.setattr(spans, 'MOST_PARTS', 4)
    plan = plan_bags([write_bag(tmp_path / 'drive', 20)], model.classes)
    assert len(plan.parts) == 4 and len(stamps(plan)) == 20


def test_a_bag_that_cannot_be_read_in_parts_is_one(write_bag, model, tmp_path, monkeypatch):
    from mbu_ros.bags.reader import BagReader

    path = write_bag(tmp_path / 'drive', 40)
    whole = BagReader.__init__

    def unseekable(self, *values, **options):
        whole(self, *values, **options)
        self.seekable = False

    monkeypatch.setattr(BagReader, '__init__', unseekable)
    plan = plan_bags([path], model.classes, limit=30)
    assert len(plan.parts) == 1 and plan.parts[0].start is None
    assert len(stamps(plan)) == 30


def test_a_folder_of_bags(write_bag, model, tmp_path):
    for name in ('b', 'a'):
        write_bag(tmp_path / 'bags' / name, 2)
    plan = plan_bags([tmp_path / 'bags'], model.classes)
    assert plan.source == '2 bags: a, b' and plan.frames == 4
    assert [(part.bag, part.sequence) for part in plan.parts] == [
        ('a', 'a:/camera/image_raw'), ('b', 'b:/camera/image_raw')
    ]


def test_bags_of_the_same_name_are_told_apart(write_bag, model, tmp_path):
    paths = [write_bag(tmp_path / day / 'drive', 1) for day in ('monday', 'tuesday')]
    plan = plan_bags(paths, model.classes)
    assert [bag.name for bag in plan.bags] == ['monday/drive', 'tuesday/drive']
    assert plan.parts[0].sequence == camera_sequence('monday/drive', '/camera/image_raw')


def test_an_unusable_bag_among_others_is_noted(write_bag, model, tmp_path):
    good = write_bag(tmp_path / 'good', 1)
    bad = write_bag(tmp_path / 'bad', 1)
    for path in bad.glob('*.mcap'):
        path.write_bytes(b'')
    plan = plan_bags([good, bad], model.classes)
    assert len(plan.parts) == 1 and plan.source == 'good'
    assert len(plan.notes) == 1 and 'bad' in plan.notes[0]
    with pytest.raises(InputError, match='bad'):
        plan_bags([bad], model.classes)


def test_a_topic_that_is_in_no_bag(write_bag, model, tmp_path):
    paths = [write_bag(tmp_path / name, 1) for name in ('a', 'b')]
    with pytest.raises(InputError, match='no bag can be used.*/front.*/camera/image_raw'):
        plan_bags(paths, model.classes, image_topics=['/front'])


def test_a_bag_of_other_classes(write_bag, tmp_path):
    with pytest.raises(InputError, match='void, ground'):
        plan_bags([write_bag(tmp_path / 'drive', 1)], OTHER)


def test_counts_add_up_and_the_same_loss_is_said_once():
    counts = PartCounts(1, 2, 3, ['cut off'])
    total = counts + replace(counts, losses=['cut off', 'no index'])
    assert total == PartCounts(2, 4, 6, ['cut off', 'no index'])


def test_other_files_in_the_folder_of_a_bag_are_no_part_of_it(write_bag, model, tmp_path):
    path = write_bag(tmp_path / 'drive', 2)
    files = plan_bags([path], model.classes).files
    (path / 'report').mkdir()  # such as by --report drive/report
    (path / 'notes.txt').write_text('rain')
    assert plan_bags([path], model.classes).files == files


def test_labels_that_nobody_uses_are_noted(write_bag, model, tmp_path, monkeypatch):
    from mbu_ros.bags import topics

    path = write_bag(tmp_path / 'drive', 2)
    assert plan_bags([path], model.classes).notes == ()
    monkeypatch.setattr(topics, 'stray_labels', lambda topics: ['/truth/label', '/camera/label'])
    (note,) = plan_bags([path], model.classes).notes
    assert '/truth/label not used' in note and '/camera' not in note and '--label-topic' in note
    assert plan_bags([path], model.classes, label_topics=['/camera/label']).notes == ()


def test_of_several_bags_each_says_what_it_lost(write_bag, model, tmp_path):
    paths = [write_bag(tmp_path / name, 1) for name in ('a', 'b')]
    (paths[1] / 'metadata.yaml').unlink()
    counts = PartCounts()
    for part in plan_bags(paths, model.classes).parts:
        each = PartCounts()
        assert len(list(part.samples(each))) == 1
        counts = counts + each
    (loss,) = counts.losses
    assert loss.startswith('b: metadata.yaml is missing')
    (part,) = plan_bags(paths[1:], model.classes).parts
    list(part.samples(each))
    assert each.losses[0].startswith('metadata.yaml')


@pytest.mark.parametrize('limit', [3, 20, 21, 33])
def test_files_of_a_split_bag_may_overlap(make_samples, model, tmp_path, limit):
    from rosbags.rosbag2 import StoragePlugin, Writer

    from mbu_ros.bags.format import IMAGE, TYPESTORE
    from mbu_ros.bags.messages import make_header, make_image

    pixels = next(make_samples(1)).image
    path = tmp_path / 'drive'
    path.mkdir()
    # The recorder has put a few messages into the next file that are older than its last one.
    for number, times in enumerate(([*range(18), 20, 21], [18, 19, *range(22, 40)])):
        with Writer(tmp_path / 'part', version=8, storage_plugin=StoragePlugin.MCAP) as writer:
            connection = writer.add_connection('/image', IMAGE, typestore=TYPESTORE)
            for time in times:
                message = make_image(make_header(time), pixels, 'rgb8')
                writer.write(connection, time, TYPESTORE.serialize_cdr(message, IMAGE))
        (tmp_path / 'part' / 'part.mcap').rename(path / f'drive_{number}.mcap')
        shutil.rmtree(tmp_path / 'part')
    plan = plan_bags([path], model.classes, limit=limit)
    read = stamps(plan)
    assert len(set(read)) == len(read) == limit
    assert sorted(stamps(plan_bags([path], model.classes))) == list(range(40))
