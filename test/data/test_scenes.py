# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the synthetic street scenes."""

import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from mbu_ros.data.scenes import CLASSES, COLORS, Drive, Frame, split_drives

SKY, ROAD, PAVEMENT = CLASSES.index('sky'), CLASSES.index('road'), CLASSES.index('pavement')


def _digest(frame: Frame) -> str:
    return hashlib.sha256(frame.image.tobytes() + frame.label.tobytes()).hexdigest()


@pytest.fixture(scope='module')
def frames() -> list[Frame]:
    """Return two frames of each of ten drives."""
    return [
        frame
        for seed in range(10)
        for frame in (Drive(seed, 60, 120, 160)[11], Drive(seed, 60, 120, 160)[59])
    ]


def test_classes_and_colors():
    assert CLASSES == ('sky', 'building', 'road', 'pavement', 'tree', 'car', 'person', 'pole')
    assert len(COLORS) == len(CLASSES) == len(set(COLORS))
    assert all(0 <= value <= 255 for color in COLORS for value in color)


@pytest.mark.parametrize(('height', 'width'), [(240, 320), (32, 32), (65, 97), (200, 40)])
def test_frame_has_the_size_asked_for(height, width):
    frame = Drive(3, 5, height, width)[2]
    assert frame.image.shape == (height, width, 3) and frame.image.dtype == np.uint8
    assert frame.label.shape == (height, width) and frame.label.dtype == np.uint8
    assert frame.label.max() < len(CLASSES)
    assert frame.image.std() > 10


def test_largest_size_works():
    frame = Drive(0, 1, 2160, 3840)[0]
    assert frame.image.shape == (2160, 3840, 3) and frame.label.shape == (2160, 3840)


def test_drive_is_a_sequence():
    drive = Drive(1, 4, 32, 48, rate_hz=20.0)
    assert len(drive) == 4
    assert [frame.time for frame in drive] == pytest.approx([0, 0.05, 0.1, 0.15])
    assert _digest(drive[-1]) == _digest(drive[3])
    for index in (4, -5):
        with pytest.raises(IndexError, match='4 frames'):
            drive[index]


def test_frames_do_not_depend_on_order():
    ascending = [_digest(frame) for frame in Drive(5, 30, 64, 96, rate_hz=1.0)]
    drive = Drive(5, 30, 64, 96, rate_hz=1.0)
    descending = [_digest(drive[index]) for index in reversed(range(30))]
    assert ascending == descending[::-1]
    assert len(set(ascending)) == 30


def test_frames_do_not_depend_on_the_length_of_the_drive():
    assert _digest(Drive(5, 8, 64, 96)[7]) == _digest(Drive(5, 800, 64, 96)[7])


def test_fresh_process_gives_the_same_bytes():
    code = (
        'import hashlib; from mbu_ros.data.scenes import Drive; f = Drive(9, 9, 64, 96)[8]; '
        'print(hashlib.sha256(f.image.tobytes() + f.label.tobytes()).hexdigest())'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == _digest(Drive(9, 9, 64, 96)[8])


def test_pickled_drive_gives_the_same_frames():
    drive = Drive(2, 3, 64, 96)
    before = _digest(drive[1])
    assert _digest(pickle.loads(pickle.dumps(drive))[1]) == before


def test_seeds_differ(frames):
    assert len({_digest(frame) for frame in frames}) == len(frames)
    first, other = Drive(0, 1, 64, 96)[0], Drive(1, 1, 64, 96)[0]
    assert (first.label != other.label).mean() > 0.05


def test_every_class_has_a_fair_share(frames):
    counts = sum(np.bincount(frame.label.ravel(), minlength=len(CLASSES)) for frame in frames)
    share = dict(zip(CLASSES, counts / counts.sum(), strict=True))
    assert min(share.values()) > 0.004, share
    assert 0.02 < share['car'] < 0.15
    assert max(share.values()) < 0.5


def test_world_is_upright(frames):
    for frame in frames:
        rows = {name: np.nonzero(frame.label == index)[0] for index, name in enumerate(CLASSES)}
        assert rows['road'].mean() > 60
        if len(rows['sky']):
            assert rows['sky'].mean() < rows['road'].mean() - 20
            assert rows['sky'].max() < 80
    bottom = np.concatenate([frame.label[-1] for frame in frames])
    assert np.isin(bottom, (ROAD, PAVEMENT)).mean() > 0.75


def test_consecutive_frames_are_alike_but_move():
    for seed in range(3):
        drive = Drive(seed, 41, 120, 160)
        first, second, later = drive[0], drive[1], drive[40]
        near = (first.label != second.label).mean()
        assert 0.001 < near < 0.15
        assert near < (first.label != later.label).mean()
        assert not np.array_equal(first.image, second.image)
        step = np.abs(first.image.astype(int) - second.image).mean()
        assert step < np.abs(first.image.astype(int) - later.image).mean()


def test_things_ahead_grow_as_the_camera_comes_closer():
    # A finer step in time is a smaller step in the world: the same drive, seen at ten times the
    # rate.
    slow, fast = Drive(4, 4, 96, 128, rate_hz=10.0), Drive(4, 31, 96, 128, rate_hz=100.0)
    assert np.array_equal(slow[3].label, fast[30].label)
    fine = np.mean([(fast[i].label != fast[i + 1].label).mean() for i in range(5)])
    coarse = np.mean([(slow[i].label != slow[i + 1].label).mean() for i in range(3)])
    assert 0 < fine < 0.5 * coarse


def test_image_edges_lie_on_label_boundaries(frames):
    """Across a label boundary the image changes most, and just where the label does."""

    def step(shift: int) -> float:
        total, count = 0.0, 0
        for frame in frames:
            grey = frame.image.mean(-1)
            change = np.abs(np.diff(grey, axis=1))
            edge = frame.label[:, 1:] != frame.label[:, :-1]
            total += np.roll(change, shift, axis=1)[edge].sum()
            count += edge.sum()
        return total / count

    everywhere = np.mean([np.abs(np.diff(frame.image.mean(-1), axis=1)).mean() for frame in frames])
    assert step(0) > 3 * everywhere
    for shift in (-3, -2, 2, 3):
        assert step(0) > 1.3 * step(shift)
    # The same distance to both sides: the labels are not shifted by a fraction of a pixel.
    assert step(1) == pytest.approx(step(-1), rel=0.15)


def test_split_drives_has_the_frames_asked_for():
    drives = split_drives('train', 45, frames_per_drive=20, height=48, width=64)
    assert [len(drive) for drive in drives] == [20, 20, 5]
    assert drives[0][0].image.shape == (48, 64, 3)
    assert len({drive.seed for drive in drives}) == 3


def test_splits_share_no_drive_whatever_the_seeds():
    seeds = {
        split: {
            drive.seed for base in (0, 1, 2, 7) for drive in split_drives(split, 200, 2, seed=base)
        }
        for split in ('train', 'val', 'test')
    }
    assert (
        not seeds['train'] & seeds['val']
        and not seeds['train'] & seeds['test']
        and not seeds['val'] & seeds['test']
    )
    assert all(len(found) == 400 for found in seeds.values())


@pytest.mark.parametrize(
    ('change', 'advice'),
    [
        ({'seed': -1}, 'at least 0'),
        ({'frames': 0}, 'at least 1'),
        ({'frames': -3}, 'at least 1'),
        ({'height': 31}, '32 to'),
        ({'width': 8}, '32 to'),
        ({'height': 4000}, '2160'),
        ({'rate_hz': 0.0}, 'above 0'),
        ({'rate_hz': -1.0}, 'above 0'),
        ({'rate_hz': float('nan')}, 'above 0'),
    ],
)
def test_bad_drive_is_refused(change, advice):
    with pytest.raises(ValueError, match=advice):
        Drive(**{'seed': 0, 'frames': 1, **change})


@pytest.mark.parametrize(
    ('arguments', 'advice'),
    [
        (('dev', 10), 'train, val, test'),
        (('train', 0), 'at least 1'),
        (('train', 10, 0), 'at least 1'),
        (('train', 10, 5, 240, 320, -1), 'at least 0'),
        (('train', 10, 5, 8, 320), '32 to'),
    ],
)
def test_bad_split_is_refused(arguments, advice):
    with pytest.raises(ValueError, match=advice):
        split_drives(*arguments)
