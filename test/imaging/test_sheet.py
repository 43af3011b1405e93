# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Contact sheets and animations, read back from their files."""

import cv2
import numpy as np
import pytest

from mbu_ros.data.files import read_image
from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.imaging.sheet import (
    AnimationUnavailable,
    fit_width,
    write_animation,
    write_image,
    write_sheet,
)

CLASSES = ClassMap(('road', 'sky'), ((128, 64, 32), (0, 100, 200)))


def flat(color, height=30, width=60):
    return np.full((height, width, 3), color, np.uint8)


def has(picture, color):
    return int((picture == np.array(color, np.uint8)).all(axis=2).sum())


def test_sheet_shows_every_picture_whole_and_the_legend(tmp_path):
    rows = [[flat((255, 0, 0)), flat((0, 255, 0))], [flat((0, 0, 255)), None]]
    path = tmp_path / 'new' / 'sheet.png'
    write_sheet(path, rows, ['image', 'mask'], ['first', 'second'], CLASSES)
    sheet = read_image(path)
    assert sheet.shape[1] > 2 * 60 and sheet.shape[0] > 2 * 30
    for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        assert has(sheet, color) == 30 * 60
    for color in CLASSES.colors:
        assert has(sheet, color) > 50
    columns = np.nonzero((sheet == (255, 0, 0)).all(axis=2))[1]
    greens = np.nonzero((sheet == (0, 255, 0)).all(axis=2))[1]
    assert columns.max() < greens.min()


def test_sheet_legend_wraps_when_it_is_wider_than_the_page(tmp_path):
    colors = tuple((i, 255 - i, 7) for i in range(0, 200, 10))
    many = ClassMap(tuple(f'a long class name {c[0]}' for c in colors), colors)
    path = tmp_path / 'sheet.png'
    write_sheet(path, [[flat((255, 0, 0))]], ['image'], ['only'], many)
    sheet = read_image(path)
    assert all(has(sheet, color) > 50 for color in colors)


def test_sheet_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(InputError, match='file'):
        write_sheet(tmp_path / 'file' / 's.png', [[flat((1, 2, 3))]], ['a'], ['b'], CLASSES)


def test_fit_width_never_mixes_class_ids_and_never_enlarges():
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 31:] = 4
    small = fit_width(labels, 20)
    assert small.shape == (13, 20) and set(np.unique(small)) == {0, 4}
    picture = flat((1, 2, 3))
    assert fit_width(picture, 100) is picture


def test_images_come_back_as_written(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    write_image(tmp_path / 'p.png', picture)
    assert (read_image(tmp_path / 'p.png') == picture).all()
    write_image(tmp_path / 'mask.png', picture[:, :, 0])
    assert (cv2.imread(str(tmp_path / 'mask.png'), cv2.IMREAD_UNCHANGED) == picture[..., 0]).all()


@pytest.mark.skipif(not hasattr(cv2, 'imencodeanimation'), reason='needs OpenCV 4.12')
@pytest.mark.parametrize('suffix', ['png', 'webp'])
def test_animation_keeps_its_frames_and_pace(tmp_path, suffix):
    frames = [flat((200, 30, 30)), flat((30, 200, 30)), flat((30, 30, 200))]
    path = tmp_path / 'new' / f'animation.{suffix}'
    write_animation(path, frames, milliseconds=150)
    read, animation = cv2.imreadanimation(str(path))
    assert read and len(animation.frames) == 3
    assert list(animation.durations) == [150] * 3
    for frame, expected in zip(animation.frames, frames):
        bgr = np.asarray(frame)[:, :, :3].astype(int)
        assert np.abs(bgr[:, :, ::-1] - expected).max() <= 8  # WebP is lossy


def test_animation_without_opencv_support_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delattr(cv2, 'imencodeanimation', raising=False)
    with pytest.raises(AnimationUnavailable, match='4.12'):
        write_animation(tmp_path / 'a.png', [flat((1, 2, 3))], 100)
