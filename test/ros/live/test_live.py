# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Node, player and evaluator together, as processes of their own, over DDS."""

import importlib.util
import json
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from mbu_ros.bags.format import IMAGE
from mbu_ros.bags.messages import make_header, make_image
from mbu_ros.bags.reader import BagReader
from mbu_ros.bags.writer import BagWriter
from mbu_ros.cli import main
from mbu_ros.commands import demo
from mbu_ros.commands.demo import MARKER
from mbu_ros.data.files import read_label
from mbu_ros.data.sample import ClassMap
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live import processes as live_processes
from mbu_ros.evaluation.live.live_run import LiveRun
from mbu_ros.evaluation.live.processes import LiveRunError
from mbu_ros.evaluation.live.run import run_live
from mbu_ros.evaluation.mask_files import MaskFiles
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.evaluation.report.thresholds import Thresholds
from mbu_ros.imaging.sheet import write_image
from mbu_ros.model.file import load_model

from ...bags.bag_files import image_bytes, storage_file, write_raw
from ...evaluation.live.bags import CAMERAS, write_two_cameras

COUNT = 8
START = 1_700_000_000_000_000_000
needs_ros = pytest.mark.skipif(
    importlib.util.find_spec('rclpy') is None, reason='rclpy comes with ROS 2 or mbu_ros[ros]'
)


@pytest.fixture
def processes(monkeypatch):
    """The processes that a live run starts."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(live_processes.subprocess, 'Popen', Recorded)
    return started


def offline(bag, topic, model):
    """Samples of a camera with the masks that offline gives them."""
    engine = ReferenceEngine(model)
    for sample in BagReader(bag, topic).samples():
        yield sample, engine.segment([sample.image])[0].labels


@needs_ros
@pytest.mark.parametrize('image_format, storage', [('raw', 'mcap'), ('jpeg', 'sqlite3')])
def test_live_and_offline_masks_of_a_bag_are_identical(
    tmp_path, processes, make_samples, write_bag, model_file, image_format, storage
):
    model = load_model(model_file)
    bag = write_bag(
        tmp_path / 'bag',
        make_samples(COUNT),
        classes=model.classes,
        image_format=image_format,
        storage=storage,
    )
    report = run_live(
        LiveRun(
            bag=bag,
            model=str(model_file),
            report=tmp_path / 'report',
            engine='reference',
            mode='acknowledged',
            save_masks=tmp_path / 'masks',
            thresholds=Thresholds(max_drop=0.0),
        )
    )
    assert len(processes) == 3
    assert all(process.poll() is not None for process in processes)

    topic = '/camera/image_raw' + ('/compressed' if image_format == 'jpeg' else '')
    files = MaskFiles(tmp_path / 'masks')
    confusion = ConfusionMatrix(len(model.classes))
    masks = []
    for sample, mask in offline(bag, topic, model):
        masks.append(files.get(topic, sample.stamp))
        assert np.array_equal(masks[-1], mask), sample.name
        confusion.add(sample.label, mask)
    assert len(np.unique(masks)) > 1  # identical, but not for want of anything to see
    assert len(list((tmp_path / 'masks').glob('*/*'))) == len(masks) == COUNT

    assert (report['mode'], report['engine']) == ('live', 'reference')
    assert (report['model'], report['source']) == (model.name, 'bag')
    assert report['frames_in'] == report['frames_out'] == COUNT
    assert (report['frames_dropped'], report['labelled_frames']) == (0, COUNT)
    assert report['confusion']['counts'] == confusion.counts.tolist()
    assert report['miou'] == pytest.approx(confusion.miou())
    assert report['latency_ms']['count'] == COUNT
    assert 0 < report['latency_ms']['p50'] <= report['latency_ms']['p95']
    for stage in ('wait', 'network', 'publish', 'total'):
        assert report['stages_ms'][stage]['p99'] > 0
    assert ('decode' in report['stages_ms']) == (image_format == 'jpeg')
    assert report['configuration']['mode'] == 'acknowledged'
    assert report['configuration']['node.use_sim_time'] is True
    assert [limit['passed'] for limit in report['thresholds']] == [True]
    for name in ('report.json', 'frames.csv', 'report.html', 'overlays.png'):
        assert (tmp_path / 'report' / name).stat().st_size > 0


@needs_ros
@pytest.mark.parametrize('compressed, storage', [(False, 'sqlite3'), (True, 'mcap')])
def test_two_cameras_get_the_masks_that_offline_gives_them(
    tmp_path, model_file, compressed, storage
):
    bag = write_two_cameras(tmp_path / 'bag', COUNT, compressed=compressed, storage=storage)
    model = load_model(model_file)
    report = run_live(
        LiveRun(
            bag=bag,
            model=str(model_file),
            engine='reference',
            save_masks=tmp_path / 'masks',
            write_bag=tmp_path / 'results',
        )
    )
    # At the bag's own speed a busy machine may drop some; all others are the same.
    assert report['frames_in'] == 2 * COUNT
    assert sum(report['dropped'].values()) == report['frames_dropped'] < 2 * COUNT
    files, found = MaskFiles(tmp_path / 'masks'), 0
    for camera in CAMERAS:
        topic = f'{camera}/image_raw' + ('/compressed' if compressed else '')
        for sample, mask in offline(bag, topic, model):
            live_mask = files.get(topic, sample.stamp)
            assert live_mask is None or np.array_equal(live_mask, mask), sample.name
            found += live_mask is not None
    assert found == report['frames_out'] == report['labelled_frames']
    written = BagReader(tmp_path / 'results', f'{CAMERAS[0]}/segmentation/mask', '').topics
    masks = [written[f'{camera}/segmentation/mask'].messages for camera in CAMERAS]
    assert sum(masks) == found


@needs_ros
def test_demo_on_own_images_ends_with_a_table_and_pictures(
    tmp_path, capsys, make_samples, model_file
):
    for sample in make_samples(4, labels=False):
        write_image(tmp_path / 'images' / f'{sample.name}.png', sample.image)
    out = tmp_path / 'out'
    arguments = ['demo', '--images', tmp_path / 'images', '--out', out, '--mode', 'acknowledged']
    arguments += ['--model', model_file]
    assert main([str(argument) for argument in arguments]) == 0
    shown = capsys.readouterr().out
    assert 'Frames in 4, out 4, dropped 0' in shown.replace('\n', ' ')
    assert 'No labels' in shown
    for name in ('overlays.png', 'report.json', 'logs'):
        assert str(out / name) in shown
        assert (out / name).exists()
    assert len(list(BagReader(out / 'bag').samples())) == 4


@needs_ros
def test_masks_that_a_bag_holds_are_not_taken_for_the_nodes(
    tmp_path, make_samples, model_file
):
    model = load_model(model_file)
    stale = np.zeros((60, 80), np.uint8)
    with BagWriter(tmp_path / 'bag', start=START, classes=model.classes) as writer:
        for sample in make_samples(3):
            writer.write(sample)
            stamp = START + round(sample.time * 1e9)
            header = make_header(stamp)
            image = make_image(header, stale, 'mono8')
            writer._add('/segmentation/mask', IMAGE, stamp, image)
    run = LiveRun(
        bag=tmp_path / 'bag',
        model=str(model_file),
        report=tmp_path / 'report',
        engine='reference',
        mode='acknowledged',
        save_masks=tmp_path / 'masks',
    )
    report = run_live(run)
    assert (report['frames_in'], report['frames_out'], report['frames_dropped']) == (3, 3, 0)
    assert all(read_label(path, 5).any() for path in (tmp_path / 'masks').glob('*/*.png'))


@needs_ros
def test_a_demo_replaces_its_own_bag_only(
    tmp_path, make_samples, model_file, capsys, monkeypatch
):
    def refuse(run):
        raise LiveRunError(f'{BagReader(run.bag).frames} images')

    monkeypatch.setattr(demo, 'run_live', refuse)
    write_image(tmp_path / 'images' / 'a.png', make_samples(1)[0].image)
    out = tmp_path / 'out'
    arguments = ['demo', '--images', str(tmp_path / 'images'), '--out', str(out)]
    arguments += ['--model', str(model_file)]
    assert main(arguments) == 1
    assert main(arguments) == 1  # its own is made anew
    assert capsys.readouterr().err.count('1 images') == 2
    (out / 'bag' / MARKER).unlink()
    assert main(arguments) == 2
    assert 'exists already' in capsys.readouterr().err
    assert (out / 'bag' / 'metadata.yaml').exists()


@needs_ros
def test_what_is_bad_in_a_bag_costs_no_more_than_offline(tmp_path, model_file, capsys):
    random = np.random.default_rng(0)
    messages = []
    for index in range(12):
        stamp = START + index * 10**8
        size = (60, 80) if index % 2 else (48, 64)  # sizes may be mixed
        label = random.integers(0, 5, (5, 5) if index == 3 else size).astype(np.uint8)
        label[0, 0] = 77 if index == 4 else 255
        image = image_bytes(stamp, random.integers(0, 256, (*size, 3)).astype(np.uint8))
        messages.append(('/cam/label', stamp, image_bytes(stamp, label, 'mono8')))
        messages.append(('/cam/image', stamp, image[:200] if index == 5 else image))
    bag = write_raw(tmp_path / 'bag', messages, 'mcap')
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[:-60_000])
    arguments = ['evaluate', '--bag', bag, '--model', model_file, '--engine', 'reference']
    found = {}
    for mode, options in (('live', ['--live']), ('offline', ['--jobs', 1])):
        path = tmp_path / f'{mode}.json'
        assert main([*map(str, [*arguments, *options, '--json', path])]) == 0
        found[mode] = json.loads(path.read_text())
    live, offline = found['live'], found['offline']
    assert set(offline['notes']) <= set(live['notes']) and any('cut' in n for n in live['notes'])
    assert live['labels'] == offline['labels'] and live['labels']['unusable'] == 2
    assert live['frames_in'] == offline['frames_in'] < 12
    # A busy machine may drop some more. What is damaged does not get as far as the node.
    assert offline['frames_in'] - offline['frames_out'] == 1
    assert live['dropped'].pop('not received', 0) + live['dropped'].pop('bad', 0) >= 1
    assert live['dropped'].keys() <= {'superseded'}


@needs_ros
def test_a_node_that_cannot_start_ends_the_run(
    tmp_path, processes, make_samples, write_bag, model_file
):
    # Nothing on any machine runs an engine of this name.
    bag = write_bag(tmp_path / 'bag', make_samples(2))
    run = LiveRun(bag, str(model_file), engine='abacus')
    with pytest.raises(LiveRunError, match='the node ended with exit code') as error:
        run_live(run)
    assert 'abacus' in str(error.value)
    assert len(processes) == 3
    assert all(process.poll() is not None for process in processes)


@needs_ros
def test_a_node_that_is_killed_ends_the_run_with_its_log(
    tmp_path, processes, make_samples, write_bag, model_file
):
    bag = write_bag(tmp_path / 'bag', make_samples(40, labels=False))

    def kill_the_node():
        while not list(tmp_path.glob('masks/*/*.png')):
            time.sleep(0.02)
        processes[0].kill()

    killer = threading.Thread(target=kill_the_node, daemon=True)
    killer.start()
    run = LiveRun(
        bag,
        str(model_file),
        tmp_path / 'report',
        mode='acknowledged',
        save_masks=tmp_path / 'masks',
    )
    with pytest.raises(LiveRunError, match='the node was ended by signal 9') as error:
        run_live(run)
    assert 'Active: waiting for images' in str(error.value)
    report = json.loads((tmp_path / 'report' / 'report.json').read_text())
    assert 0 < report['frames_out'] < 40
    assert any('signal 9' in note for note in report['notes'])
    assert all(process.poll() is not None for process in processes)


@needs_ros
def test_classes_of_bag_and_model_must_be_the_same(
    tmp_path, processes, make_samples, write_bag, model_file
):
    classes = ClassMap(('road', 'grass'), ((0, 0, 0), (0, 255, 0)))
    bag = write_bag(tmp_path / 'bag', make_samples(1), classes=classes)
    with pytest.raises(InputError, match='different classes'):
        run_live(LiveRun(bag, str(model_file), tmp_path / 'report'))
    assert processes == []


@needs_ros
def test_a_report_folder_that_cannot_be_made_is_one_error(
    tmp_path, processes, make_samples, write_bag, model_file
):
    bag = write_bag(tmp_path / 'bag', make_samples(1))
    with pytest.raises(InputError, match='no folder to write to'):
        run_live(LiveRun(bag, str(model_file), bag / 'metadata.yaml'))
    assert processes == []


def test_without_ros_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    with pytest.raises(InputError, match='rclpy is not installed.*pip install'):
        run_live(LiveRun(tmp_path / 'bag', 'synthetic', tmp_path / 'report'))
