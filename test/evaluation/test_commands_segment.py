# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu segment` with the reference engine and a random model."""

import cv2
import numpy as np
import pytest

from mbu_ros.cli import main
from mbu_ros.data.files import read_image
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.imaging.overlay import overlay


@pytest.fixture
def images(write_tree, tmp_path):
    """Two images."""
    folder = write_tree(tmp_path / 'data', 2) / 'val' / 'images'
    return [folder / '000.png', folder / '001.png']


def segment(model_file, *arguments):
    return main([
        'segment', '--model', str(model_file), '--engine', 'reference', *map(str, arguments)
    ])


def test_segment_writes_masks_and_overlays(images, model, model_file, tmp_path, capsys):
    out = tmp_path / 'new' / 'out'
    assert segment(model_file, *images, '-o', out, '--alpha', 0.3) == 0
    for path in images:
        image = read_image(path)
        expected = ReferenceEngine(model).segment([image])[0].labels
        mask = cv2.imread(str(out / f'{path.stem}_mask.png'), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint8 and (mask == expected).all()
        picture = read_image(out / f'{path.stem}_overlay.png')
        assert (picture == overlay(image, expected, model.classes.colors, 0.3)).all()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('Engine: reference')
    assert [line.split(':')[0] for line in lines[1:]] == [str(path) for path in images]


def test_segment_goes_on_after_a_bad_image(images, model_file, tmp_path, capsys):
    good = images[0]
    bad = tmp_path / 'bad.jpg'
    bad.write_bytes(b'no image')
    out = tmp_path / 'out'
    assert segment(model_file, bad, tmp_path / 'missing.png', good, '-o', out) == 1
    assert sorted(path.name for path in out.iterdir()) == ['000_mask.png', '000_overlay.png']
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and 'bad.jpg' in errors[0] and 'missing.png' in errors[1]


def test_segment_refuses_names_that_collide(images, model_file, tmp_path, capsys):
    good = images[0]
    twin = tmp_path / '000.jpg'
    twin.write_bytes(b'')
    assert segment(model_file, good, twin, '-o', tmp_path / 'out') == 2
    error = capsys.readouterr().err
    assert '000.png' in error and '000.jpg' in error
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('alpha', ['-0.1', '1.5', 'half'])
def test_segment_alpha_out_of_range(model_file, tmp_path, alpha):
    with pytest.raises(SystemExit):
        segment(model_file, 'a.png', '-o', tmp_path, f'--alpha={alpha}')
