# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu bag`: each kind of input becomes a bag that reads back."""

import json

import cv2
import numpy as np
import pytest

from mbu_ros.bags.reader import BagReader
from mbu_ros.cli import main
from mbu_ros.data.scenes import CLASSES, Drive
from mbu_ros.data.sources import DEMO_SEED, video_source
from mbu_ros.errors import InputError
from mbu_ros.imaging.sheet import write_image


def run(*arguments):
    return main([str(argument) for argument in ('bag', *arguments)])


@pytest.fixture
def tree(tmp_path):
    """A data tree with three val frames; returns its root, images and labels."""
    random = np.random.default_rng(5)
    root = tmp_path / 'tree'
    images = random.integers(0, 256, (3, 8, 12, 3), dtype=np.uint8)
    labels = random.choice([0, 1, 255], (3, 8, 12)).astype(np.uint8)
    for index in range(3):
        write_image(root / 'val' / 'images' / f'{index}.png', images[index])
        write_image(root / 'val' / 'labels' / f'{index}.png', labels[index])
    description = {'name': 'small', 'classes': ['a', 'b'], 'colors': [[1, 2, 3], [4, 5, 6]]}
    (root / 'dataset.json').write_text(json.dumps(description))
    return root, images, labels


def test_a_data_tree(tmp_path, tree):
    root, images, labels = tree
    out = tmp_path / 'bag'
    options = ['--storage', 'sqlite3', '--rate', 5]
    assert run('--data', root, '--split', 'val', '--out', out, *options) == 0
    assert (out / 'bag.db3').is_file()
    bag = BagReader(out)
    assert bag.classes.names == ('a', 'b')
    samples = list(bag.samples())
    assert np.array_equal([s.image for s in samples], images)
    assert np.array_equal([s.label for s in samples], labels)
    assert [s.time for s in samples] == pytest.approx([0, 0.2, 0.4])
    assert run('--data', root, '--limit', 2, '--out', tmp_path / 'two') == 0
    assert BagReader(tmp_path / 'two').frames == 2


def test_a_folder_with_and_without_labels(tmp_path, tree):
    root, images, labels = tree
    folder = root / 'val' / 'images'
    assert run('--images', folder, '--out', tmp_path / 'plain', '--format', 'jpeg') == 0
    plain = BagReader(tmp_path / 'plain')
    assert (plain.label_topic, plain.classes, plain.frames) == (None, None, 3)
    assert plain.image_topic == '/camera/image_raw/compressed'
    labelled = tmp_path / 'labelled'
    assert run('--images', folder, '--labels', root / 'val' / 'labels', '--out', labelled) == 0
    assert np.array_equal([s.label for s in BagReader(labelled).samples()], labels)


def test_scenes(tmp_path):
    out = tmp_path / 'bag'
    assert run('--scenes', 2, '--size', '64x48', '--out', out, '--rate', 4) == 0
    bag = BagReader(out)
    assert bag.classes.names == CLASSES
    drive = Drive(seed=DEMO_SEED, frames=2, height=48, width=64, rate_hz=4)
    for sample, frame in zip(bag.samples(), drive, strict=True):
        assert np.array_equal(sample.image, frame.image)
        assert np.array_equal(sample.label, frame.label)
        assert sample.time == frame.time


def test_a_video_keeps_its_rate(tmp_path):
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 20, (64, 48))
    if not writer.isOpened():
        pytest.skip('this OpenCV cannot write videos')
    for value in range(5):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[..., 2] = 40 * value  # OpenCV's order is BGR: this is red
        writer.write(frame)
    writer.release()
    assert run('--video', path, '--limit', 4, '--out', tmp_path / 'bag') == 0
    samples = list(BagReader(tmp_path / 'bag').samples())
    assert [s.time for s in samples] == pytest.approx([0, 0.05, 0.1, 0.15])
    for value, sample in enumerate(samples):
        red, green, blue = sample.image.mean(axis=(0, 1))
        assert red == pytest.approx(40 * value, abs=12)
        assert max(green, blue) < 25


@pytest.mark.parametrize(
    'arguments, text',
    [
        (['--data', 'TREE', '--labels', 'TREE'], '--labels goes with --images'),
        (['--images', 'TREE/val/images', '--split', 'val'], '--split goes with --data'),
        (['--images', 'TREE/val/images', '--seed', '1'], '--seed goes with --scenes'),
        (['--images', 'TREE/none'], 'no such folder'),
        (['--video', 'TREE/dataset.json'], 'not a video'),
        (['--video', 'TREE/none.mp4'], 'no such file'),
        (['--scenes', '0'], 'cannot be generated'),
        (['--scenes', '1', '--size', '4x4'], 'cannot be generated'),
        (['--scenes', '1', '--rate', '0'], 'cannot be generated'),
    ],
)
def test_what_cannot_become_a_bag_is_one_line(tmp_path, tree, capsys, arguments, text):
    arguments = [argument.replace('TREE', str(tree[0])) for argument in arguments]
    assert run(*arguments, '--out', tmp_path / 'bag') == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'bag').exists()


def test_an_existing_bag_is_kept(tmp_path, tree, capsys):
    folder = tree[0] / 'val' / 'images'
    assert run('--images', folder, '--out', tmp_path / 'bag') == 0
    assert run('--images', folder, '--limit', 1, '--out', tmp_path / 'bag') == 2
    assert 'exists already' in capsys.readouterr().err
    assert BagReader(tmp_path / 'bag').frames == 3


def test_an_empty_video_is_one_error(tmp_path):
    (tmp_path / 'video.mp4').write_bytes(b'')
    with pytest.raises(InputError, match='not a video'):
        video_source(tmp_path / 'video.mp4')
