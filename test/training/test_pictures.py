# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures, read back from their files."""

import builtins

import numpy as np
import pytest

from mbu_ros.data.files import read_image
from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.training.pictures import (
    COLORS,
    MATPLOTLIB_MISSING,
    POINTS,
    sample_frames,
    write_curves,
    write_samples,
)

from .results import results

CLASSES = ClassMap(('road', 'sky', 'tree'), ((128, 64, 32), (0, 100, 200), (30, 160, 40)))


@pytest.fixture
def matplotlib():
    return pytest.importorskip('matplotlib', reason='comes with mbu_ros[train]')


def histories():
    return {name: entry['history'] for name, entry in results().items()}


def rgb(color):
    return tuple(int(color[place : place + 2], 16) for place in (1, 3, 5))


def where(picture, color):
    """Rows and columns of the pixels of exactly this colour."""
    return np.nonzero((picture == np.array(color, np.uint8)).all(axis=2))


def count(picture, color):
    return len(where(picture, color)[0])


def panel_rows(picture):
    """First and last pixel row of each panel, told by the black frame at its left."""
    dark = (picture < 10).all(axis=2)
    column = dark[:, :150].sum(axis=0).argmax()
    edges = np.flatnonzero(np.diff(dark[:, column].astype(int), prepend=0, append=0))
    spans = edges.reshape(-1, 2)
    return [span for span in spans if span[1] - span[0] > 100]


def test_curves_show_every_network_in_every_panel_in_its_colour(matplotlib, tmp_path):
    path = tmp_path / 'new' / 'curves.png'
    assert write_curves(path, histories()) is True
    assert path.stat().st_size < 150_000
    picture = read_image(path)
    assert picture.shape == (1000, 1000, 3)
    panels = panel_rows(picture)
    assert len(panels) == 3
    for start, stop in panels:
        for name in ('float', 'float_longer', 'masked', 'chosen'):
            # All learning rates of the fixture are the same, so that the last one covers them.
            covered = start == panels[1][0]
            assert count(picture[start:stop], rgb(COLORS[name])) > 100 or covered, name
        assert count(picture[start:stop], rgb(COLORS['binary'])) > 100
    for color in COLORS.values():  # the legend, above the panels
        assert count(picture[: panels[0][0]], rgb(color)) > 20


def test_curves_rise_and_fall_as_their_numbers(matplotlib, tmp_path):
    path = tmp_path / 'curves.png'
    seconds = [10.0 * index for index in range(30)]
    falling = [
        {
            'seconds': s,
            'loss': 2.0 - s / 200,
            'learning_rate': 1e-3,
            'val_miou': s / 300 if index % 3 == 0 else None,
        }
        for index, s in enumerate(seconds)
    ]
    write_curves(path, {'masked': falling})
    picture = read_image(path)
    loss, _, miou = panel_rows(picture)
    for (start, stop), falls in ((loss, True), (miou, False)):
        rows, columns = where(picture[start:stop], rgb(COLORS['masked']))
        left, right = rows[columns < 300].mean(), rows[columns > 800].mean()
        assert (right - left > 100) if falls else (left - right > 100)


def test_curves_of_noisy_long_histories_stay_small_and_of_short_ones_are_there(
    matplotlib, tmp_path
):
    random = np.random.default_rng(0)
    noisy = [
        {'seconds': float(s), 'loss': float(loss), 'learning_rate': 1e-3, 'val_miou': float(miou)}
        for s, (loss, miou) in enumerate(random.uniform(0.1, 1, (20 * POINTS, 2)))
    ]
    names = [*COLORS, 'plan 25%', 'plan 50%', 'plan 75%']
    path = tmp_path / 'noisy.png'
    write_curves(path, dict.fromkeys(names, noisy))
    assert path.stat().st_size < 150_000
    # One noisy curve is a line, not a filled panel.
    write_curves(path, {'masked': noisy})
    picture = read_image(path)
    for start, stop in panel_rows(picture):
        assert count(picture[start:stop], rgb(COLORS['masked'])) < 0.1 * (stop - start) * 1000
    one = [{'seconds': 1.0, 'loss': 0.5, 'learning_rate': 1e-3, 'val_miou': None}]
    path = tmp_path / 'short.png'
    assert write_curves(path, {'chosen': one, 'binary': []})
    assert count(read_image(path), rgb(COLORS['chosen'])) > 30
    assert write_curves(path, {})


def test_a_loss_of_zero_can_be_drawn(matplotlib, tmp_path, recwarn):
    zero = [
        {'seconds': s, 'loss': 0.0, 'learning_rate': 0.0, 'val_miou': None} for s in (0.0, 1.0)
    ]
    assert write_curves(tmp_path / 'curves.png', {'float': zero})
    assert not list(recwarn)


def test_without_matplotlib_nothing_is_drawn(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith('matplotlib'):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    assert write_curves(tmp_path / 'curves.png', histories()) is False
    assert not list(tmp_path.iterdir())
    assert "pip install 'mbu_ros[train]'" in MATPLOTLIB_MISSING


def test_curves_that_cannot_be_written(matplotlib, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written'):
        write_curves(tmp_path / 'file' / 'curves.png', histories())


@pytest.mark.parametrize(
    ('frames', 'expected'), [(0, []), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (101, [12, 37, 63, 88])]
)
def test_sample_frames_are_spread_over_the_split(frames, expected):
    assert sample_frames(frames) == expected


def frames(height, width):
    """Two frames, half and a quarter of them sky, else road; a quarter above is unlabelled.

    One network sees road where nothing is labelled, the other sees trees everywhere.
    """
    images = np.full((2, height, width, 3), (250, 10, 20), np.uint8)
    images[1] = (250, 10, 120)
    labels = np.zeros((2, height, width), np.uint8)
    labels[0, :, width // 2 :] = 1
    labels[1, :, 3 * width // 4 :] = 1
    labels[:, : height // 4] = 255
    return images, labels, {
        'float': np.where(labels == 255, 0, labels).astype(np.uint8),
        'masked': np.full_like(labels, 2),
    }


def test_samples_show_images_labels_and_masks_side_by_side(tmp_path):
    path = tmp_path / 'new' / 'samples.png'
    images, labels, predictions = frames(96, 128)
    write_samples(path, images, labels, predictions, CLASSES, ['val frame 3', 'val frame 9'])
    picture = read_image(path)
    assert picture.shape[1] > 4 * 128 and picture.shape[0] > 2 * 96
    size = 96 * 128
    first, second = where(picture, (250, 10, 20)), where(picture, (250, 10, 120))
    assert len(first[0]) == len(second[0]) == size
    assert first[0].max() < second[0].min()
    trees = where(picture, CLASSES.colors[2])
    # Beside the masks, each colour is in the legend, in a swatch of 14x14 pixels.
    assert len(trees[0]) == 2 * size + 14 * 14
    # Label and float network have the same sky: of three quarters, a half and a quarter.
    halves = picture[: first[0].max() + 1], picture[second[0].min() : second[0].max() + 1]
    for half, share in zip(halves, (1 / 2, 1 / 4)):
        assert count(half, CLASSES.colors[1]) == 2 * share * 3 / 4 * size
        assert count(half, CLASSES.colors[0]) == (2 * (1 - share) * 3 / 4 + 1 / 4) * size
        assert count(half, (0, 0, 0)) == size / 4
    assert count(picture, CLASSES.colors[1]) == (1 / 2 + 1 / 4) * 2 * 3 / 4 * size + 14 * 14
    masked = trees[1][trees[0] < second[0].max()]
    assert masked.min() > where(picture, (0, 0, 0))[1].max() > first[1].max()


@pytest.mark.parametrize(('height', 'width'), [(36, 48), (480, 640)])
def test_samples_of_any_size_have_room_for_their_titles(tmp_path, height, width):
    path = tmp_path / 'samples.png'
    images, labels, predictions = frames(height, width)
    several = dict.fromkeys(('float', 'float_longer', 'masked', 'x'), predictions['masked'])
    write_samples(path, images, labels, several, CLASSES, ['a', 'b'])
    picture = read_image(path)
    assert 6 * 112 < picture.shape[1] < 1800
    columns = where(picture, (250, 10, 20))[1]
    assert 112 <= np.ptp(columns) + 1 <= 320
    # Class ids are not mixed: of the masks' 4 in 6 columns nothing but the colour of trees.
    start = columns.max() + 8 + np.ptp(columns) + 10
    rows = where(picture, (250, 10, 20))[0]
    strip = picture[rows.min() + 1 : rows.max(), start + 20 : start + 90]
    assert (strip == CLASSES.colors[2]).all()


def test_samples_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    images, labels, predictions = frames(24, 32)
    with pytest.raises(InputError, match='cannot be written'):
        write_samples(
            tmp_path / 'file' / 's.png', images, labels, predictions, CLASSES, ['a', 'b']
        )
