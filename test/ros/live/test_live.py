# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Node, player and evaluator together, as processes of their own, over DDS."""

import importlib.util
import subprocess

import numpy as np
import pytest

from mbu_ros.bags.format import IMAGE
from mbu_ros.bags.messages import make_header, make_image
from mbu_ros.bags.reader import BagReader
from mbu_ros.bags.writer import BagWriter
from mbu_ros.cli import main
from mbu_ros.commands.demo import MARKER
from mbu_ros.data.files import read_label
from mbu_ros.data.sample import ClassMap
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live import run as live
from mbu_ros.evaluation.live.run import LiveRun, LiveRunError, run_live
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.imaging.sheet import write_image
from mbu_ros.model.file import load_model

COUNT = 10
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

    monkeypatch.setattr(live.subprocess, 'Popen', Recorded)
    return started


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
        )
    )
    assert len(processes) == 3
    assert all(process.poll() is not None for process in processes)

    engine = ReferenceEngine(model)
    confusion = ConfusionMatrix(len(model.classes))
    masks = []
    for sample in BagReader(bag).samples():
        offline = engine.segment([sample.image])[0].labels
        masks.append(read_label(tmp_path / 'masks' / f'{sample.name}.png', len(model.classes)))
        assert np.array_equal(masks[-1], offline), sample.name
        confusion.add(sample.label, offline)
    assert len(np.unique(masks)) > 1  # identical, but not for want of anything to see
    assert len(list((tmp_path / 'masks').iterdir())) == len(masks) == COUNT

    assert (report['mode'], report['engine']) == ('live', 'reference')
    assert (report['model'], report['source']) == (model.name, 'bag')
    assert report['frames'] == report['frames_in'] == report['frames_out'] == COUNT
    assert (report['frames_dropped'], report['labelled_frames']) == (0, COUNT)
    assert report['confusion']['counts'] == confusion.counts.tolist()
    assert report['miou'] == pytest.approx(confusion.miou())
    assert 0 < report['latency_ms']['p50'] <= report['latency_ms']['p95']
    for stage in ('wait', 'network', 'publish', 'total'):
        assert report['stages_ms'][stage]['p99'] > 0
    for name in ('report.json', 'frames.csv', 'overlays.png'):
        assert (tmp_path / 'report' / name).stat().st_size > 0


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
    assert all(read_label(path, 5).any() for path in (tmp_path / 'masks').iterdir())


@needs_ros
def test_a_demo_replaces_its_own_bag_only(tmp_path, make_samples, write_bag, model_file, capsys):
    write_image(tmp_path / 'images' / 'a.png', make_samples(1)[0].image)
    out = tmp_path / 'out'
    arguments = ['demo', '--images', str(tmp_path / 'images'), '--out', str(out)]
    arguments += ['--model', str(model_file)]
    assert main(arguments) == 0
    assert main(arguments) == 0  # its own is made anew
    (out / 'bag' / MARKER).unlink()
    assert main(arguments) == 2
    assert 'exists already' in capsys.readouterr().err
    assert (out / 'bag' / 'metadata.yaml').exists()


@needs_ros
def test_a_node_that_cannot_start_ends_the_run(
    tmp_path, processes, make_samples, write_bag, model_file
):
    # Nothing on any machine runs an engine of this name.
    bag = write_bag(tmp_path / 'bag', make_samples(2))
    run = LiveRun(bag, str(model_file), tmp_path / 'report', engine='abacus')
    with pytest.raises(LiveRunError, match='the node ended with exit code') as error:
        run_live(run)
    assert 'abacus' in str(error.value)
    assert len(processes) == 3
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
    monkeypatch.setattr(live.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(InputError, match='rclpy is not installed.*pip install'):
        run_live(LiveRun(tmp_path / 'bag', 'synthetic', tmp_path / 'report'))
