# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `mbu evaluate` refuses: one line that says what was wrong, exit code 2, nothing left."""

import json
import os

import cv2
import numpy as np
import pytest

from mbu_ros.cli import main
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model


@pytest.fixture
def tree(write_tree, tmp_path):
    """A data tree of three frames."""
    return write_tree(tmp_path / 'data', 3)


@pytest.fixture
def bag(write_bag, tmp_path):
    """A bag of the same frames."""
    return write_bag(tmp_path / 'drive', 3)


@pytest.fixture
def refused(model_file, capsys):
    """The one line on standard error after a command that must end with 2."""

    def run(*arguments, model=model_file):
        command = ['evaluate', '--model', model, '--engine', 'reference', '--jobs', '1']
        assert main([str(argument) for argument in [*command, *arguments]]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith('mbu: ')
        return lines[0]

    return run


def rewrite_classes(tree, change):
    content = json.loads((tree / 'dataset.json').read_text())
    change(content)
    (tree / 'dataset.json').write_text(json.dumps(content))


def test_unreadable_image(tree, refused):
    (tree / 'val' / 'images' / '001.png').write_bytes(b'\x89PNG no more')
    assert '001.png' in refused('--data', tree)


def test_wrong_label_size(tree, refused):
    cv2.imwrite(str(tree / 'val' / 'labels' / '001.png'), np.zeros((48, 2), np.uint8))
    assert '2x48' in refused('--data', tree)


def test_empty_split(tree, refused):
    for path in (tree / 'val' / 'images').iterdir():
        path.unlink()
    assert 'no image' in refused('--data', tree)


def test_split_that_is_not_there(tree, refused):
    assert 'no such folder' in refused('--data', tree, '--split', 'test')


def test_classes_that_differ(tree, refused):
    rewrite_classes(tree, lambda content: content['classes'].__setitem__(0, 'void'))
    error = refused('--data', tree)
    assert 'void, class1, class2' in error and 'class0, class1, class2' in error


def test_a_bag_of_other_classes(bag, refused, tmp_path):
    save_model(random_model(classes=4), tmp_path / 'four.safetensors')
    error = refused('--bag', bag, model=tmp_path / 'four.safetensors')
    assert 'the data 3' in error and 'the model 4' in error


def test_another_model_of_other_classes(bag, refused, tmp_path):
    save_model(random_model(classes=4), tmp_path / 'four.safetensors')
    error = refused('--bag', bag, '--against', tmp_path / 'four.safetensors')
    assert '--model 3' in error and '--against 4' in error


def test_a_topic_that_the_bag_lacks(bag, refused):
    error = refused('--bag', bag, '--image-topic', '/front')
    assert '/front' in error and '/camera/image_raw' in error


def test_missing_bag(refused, tmp_path):
    assert 'none' in refused('--bag', tmp_path / 'none')


def test_missing_model(tree, refused, tmp_path):
    assert 'none.st' in refused('--data', tree, model=tmp_path / 'none.st')
    assert 'none.st' in refused('--data', tree, '--against', tmp_path / 'none.st')


def test_no_model(tree, capsys):
    assert main(['evaluate', '--data', str(tree)]) == 2
    assert '--model' in capsys.readouterr().err


@pytest.mark.parametrize(
    'arguments, needed',
    [
        (('--data', 'DATA', '--image-topic', '/x'), '--bag'),
        (('--data', 'DATA', '--label-topic', '/x'), '--bag'),
        (('--data', 'DATA', '--label-tolerance', '5'), '--bag'),
        (('--data', 'DATA', '--write-bag', 'out'), '--bag'),
        (('--data', 'DATA', '--live'), '--bag'),
        (('--bag', 'BAG', '--split', 'val'), '--data and --scenes'),
        (('--bag', 'BAG', '--rate', '2'), '--live'),
        (('--bag', 'BAG', '--resume'), '--report'),
        (('--bag', 'BAG', '--live', '--limit', '2'), '--live'),
        (('--compare', 'A', 'B', '--limit', '2'), '--compare'),
    ],
)
def test_options_that_do_not_go_together(refused, arguments, needed):
    assert needed in refused(*arguments)


@pytest.mark.parametrize('values', [['0'], ['31'], ['1', 'x'], ['none', '3'], ['-1']])
def test_boundary_tolerances_out_of_range(tree, refused, values):
    assert '1 to 30' in refused('--data', tree, '--boundary', *values)


def test_a_limit_that_nothing_could_keep(tree, refused):
    assert '--min-miou' in refused('--data', tree, '--min-miou', '70')


def test_an_output_that_is_in_the_way(bag, refused, tmp_path):
    assert 'exists already' in refused('--bag', bag, '--write-bag', tmp_path)
    assert 'is a folder' in refused('--bag', bag, '--json', tmp_path)
    out = tmp_path / 'out'
    for option, path in (('--report', out / 'report'), ('--save-masks', out), ('--json', out)):
        assert 'would lie in' in refused('--bag', bag, '--write-bag', out, option, path)
        assert not out.exists()


def test_another_run_cannot_be_resumed(tree, refused, tmp_path):
    arguments = '--data', tree, '--report', tmp_path / 'report'
    image = tree / 'val' / 'images' / '001.png'
    content = image.read_bytes()
    image.write_bytes(b'')
    assert '001.png' in refused(*arguments)
    error = refused(*arguments, '--limit', '2', '--resume')
    assert 'limit was None and is 2' in error and 'changed' not in error
    image.write_bytes(content)
    error = refused(*arguments, '--resume')
    assert '001.png has changed' in error and 'without --resume' in error


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['--data', 'a', '--bag', 'b'],
        ['--data', 'a', '--limit', '0'],
        ['--data', 'a', '--jobs', '0'],
        ['--bag', 'a', '--live', '--rate', '0'],
        ['--bag', 'a', '--label-tolerance', '-1'],
        ['--bag', 'a', '--label-tolerance', 'nan'],
    ],
)
def test_wrong_usage(model_file, arguments):
    with pytest.raises(SystemExit) as end:
        main(['evaluate', '--model', str(model_file), *arguments])
    assert end.value.code == 2


@pytest.mark.parametrize('option', ['--json', '--report', '--save-masks', '--write-bag'])
def test_a_place_that_cannot_be_written_to_is_told_before_the_work(
    bag, refused, tmp_path, monkeypatch, option
):
    (tmp_path / 'file').write_text('no folder')
    assert 'is no folder' in refused('--bag', bag, option, tmp_path / 'file' / 'new' / 'out')
    # Of a read-only file system; permissions do not keep root out.
    monkeypatch.setattr(os, 'access', lambda path, mode: str(path) != str(tmp_path))
    error = refused('--bag', bag, option, tmp_path / 'new' / 'out')
    assert option in error and f'{tmp_path} cannot be written to' in error
