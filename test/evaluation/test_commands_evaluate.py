# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate` and `mbu segment` with the reference engine and a random model."""

import csv
import json

import cv2
import numpy as np
import pytest

from mbu_ros.bags.writer import BagWriter
from mbu_ros.cli import main
from mbu_ros.data.files import read_image
from mbu_ros.data.sample import Sample
from mbu_ros.data.tree import DataTree
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.imaging.overlay import overlay
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

HEIGHT, WIDTH, CLASSES = 48, 64, 3


@pytest.fixture(scope='module')
def model():
    return random_model(width=8, depth=2, classes=CLASSES, input_size=(32, 48))


@pytest.fixture(scope='module')
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'random.safetensors'
    save_model(model, path)
    return path


@pytest.fixture
def tree(tmp_path, model):
    """A data tree of three frames whose labels are the model's masks, with some pixels changed."""
    random = np.random.default_rng(3)
    engine = ReferenceEngine(model)
    root = tmp_path / 'data'
    for kind in ('images', 'labels'):
        (root / 'val' / kind).mkdir(parents=True)
    for i in range(3):
        coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        label = engine.segment([image])[0].labels
        label[:8, : 8 * i] = 0
        label[-4:] = 255
        cv2.imwrite(str(root / 'val' / 'images' / f'{i}.png'), image[:, :, ::-1])
        cv2.imwrite(str(root / 'val' / 'labels' / f'{i}.png'), label)
    classes = [f'class{c}' for c in range(CLASSES)]
    colors = [[c, 0, 0] for c in range(CLASSES)]
    content = {'name': 'random', 'classes': classes, 'colors': colors}
    (root / 'dataset.json').write_text(json.dumps(content))
    return root


def evaluate(model_file, *arguments):
    return main([
        'evaluate', '--model', str(model_file), '--engine', 'reference', *map(str, arguments)
    ])


def test_evaluate_tree(tree, model, model_file, tmp_path, capsys):
    out, folder = tmp_path / 'out.json', tmp_path / 'report'
    assert evaluate(model_file, '--data', tree, '--json', out, '--report', folder) == 0
    expected = ConfusionMatrix(CLASSES)
    for i in range(3):
        image = read_image(tree / 'val' / 'images' / f'{i}.png')
        label = cv2.imread(str(tree / 'val' / 'labels' / f'{i}.png'), cv2.IMREAD_UNCHANGED)
        expected.add(label, ReferenceEngine(model).segment([image])[0].labels)
    report = json.loads(out.read_text())
    assert report['confusion']['counts'] == expected.counts.tolist()
    assert report['miou'] == expected.miou() and 0 < report['miou'] < 1
    assert report['frames'] == report['frames_in'] == report['labelled_frames'] == 3
    assert (report['engine'], report['model']) == ('reference', 'random')
    assert (report['mode'], report['source']) == ('offline', 'random (val)')
    assert json.loads((folder / 'report.json').read_text()) == report
    printed = capsys.readouterr().out
    assert 'Engine: reference' in printed and 'asked for' in printed
    assert 'class2' in printed and str(out) in printed and 'overlays.png' in printed


def test_evaluate_limit(tree, model_file, tmp_path):
    out = tmp_path / 'out.json'
    assert evaluate(model_file, '--data', tree, '--limit', 2, '--json', out) == 0
    assert json.loads(out.read_text())['frames'] == 2


def write_bag(path, tree, labels=True):
    data = DataTree(tree)
    with BagWriter(path, classes=data.classes, rate_hz=5.0) as bag:
        for sample in data.samples('val'):
            bag.write(sample if labels else Sample(sample.name, sample.image))
    return path


def test_a_bag_gives_the_same_figures_as_the_tree_it_was_made_of(tree, model_file, tmp_path):
    bag = write_bag(tmp_path / 'drive', tree)
    files = tmp_path / 'tree.json', tmp_path / 'bag.json'
    assert evaluate(model_file, '--data', tree, '--json', files[0]) == 0
    topics = '--image-topic', '/camera/image_raw', '--label-topic', '/camera/label'
    folder = tmp_path / 'report'
    assert evaluate(model_file, '--bag', bag, *topics, '--json', files[1], '--report', folder) == 0
    of_tree, of_bag = (json.loads(path.read_text()) for path in files)
    assert of_bag['source'] == 'drive'
    for key in ('confusion', 'iou', 'miou', 'frames', 'frames_in', 'labelled_frames'):
        assert of_bag[key] == of_tree[key]
    lines = list(csv.DictReader((folder / 'frames.csv').open()))
    assert [float(line['stamp']) for line in lines] == pytest.approx([0.0, 0.2, 0.4])


def test_a_bag_without_labels_gives_everything_but_accuracy(tree, model_file, tmp_path, capsys):
    bag = write_bag(tmp_path / 'drive', tree, labels=False)
    out, folder = tmp_path / 'out.json', tmp_path / 'report'
    assert evaluate(model_file, '--bag', bag, '--limit', 2, '--json', out, '--report', folder) == 0
    report = json.loads(out.read_text())
    assert (report['frames'], report['frames_dropped'], report['labelled_frames']) == (2, 0, 0)
    assert report['miou'] is None and report['pixel_accuracy'] is None
    assert report['latency_ms']['p50'] > 0 and report['stages_ms']['network']['p50'] > 0
    assert 'No labels' in capsys.readouterr().out
    assert (folder / 'overlays.png').is_file()


def test_a_bag_of_other_classes(tree, model_file, tmp_path, capsys):
    content = json.loads((tree / 'dataset.json').read_text())
    content['classes'].append('void')
    content['colors'].append([1, 1, 1])
    (tree / 'dataset.json').write_text(json.dumps(content))
    bag = write_bag(tmp_path / 'drive', tree)
    error = refused(capsys, evaluate(model_file, '--bag', bag))
    assert 'the data 4' in error and 'the model 3' in error


def test_a_topic_that_the_bag_lacks(tree, model_file, tmp_path, capsys):
    bag = write_bag(tmp_path / 'drive', tree)
    error = refused(capsys, evaluate(model_file, '--bag', bag, '--image-topic', '/front'))
    assert '/front' in error and '/camera/image_raw' in error


def refused(capsys, code):
    """The one line on standard error after a command that must have ended with 2."""
    assert code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith('mbu: ')
    return lines[0]


def test_unreadable_image(tree, model_file, capsys):
    (tree / 'val' / 'images' / '1.png').write_bytes(b'\x89PNG no more')
    assert '1.png' in refused(capsys, evaluate(model_file, '--data', tree))


def test_wrong_label_size(tree, model_file, capsys):
    cv2.imwrite(str(tree / 'val' / 'labels' / '1.png'), np.zeros((HEIGHT, 2), np.uint8))
    assert '2x48' in refused(capsys, evaluate(model_file, '--data', tree))


def test_empty_split(tree, model_file, capsys):
    for path in (tree / 'val' / 'images').iterdir():
        path.unlink()
    assert 'no image' in refused(capsys, evaluate(model_file, '--data', tree))


def test_split_that_is_not_there(tree, model_file, capsys):
    error = refused(capsys, evaluate(model_file, '--data', tree, '--split', 'test'))
    assert 'no such folder' in error


def test_classes_that_differ(tree, model_file, capsys):
    content = json.loads((tree / 'dataset.json').read_text())
    content['classes'][0] = 'void'
    (tree / 'dataset.json').write_text(json.dumps(content))
    error = refused(capsys, evaluate(model_file, '--data', tree))
    assert 'void, class1, class2' in error and 'class0, class1, class2' in error


def test_missing_bag(model_file, tmp_path, capsys):
    error = refused(capsys, evaluate(model_file, '--bag', tmp_path / 'none'))
    assert 'none' in error


def test_missing_model(tree, tmp_path, capsys):
    assert 'none.st' in refused(capsys, evaluate(tmp_path / 'none.st', '--data', tree))


def test_options_of_the_other_kind_of_source(tree, model_file, tmp_path, capsys):
    error = refused(capsys, evaluate(model_file, '--data', tree, '--image-topic', '/x'))
    assert '--bag' in error
    error = refused(capsys, evaluate(model_file, '--bag', tmp_path, '--split', 'val'))
    assert '--data' in error


@pytest.mark.parametrize(
    'arguments', [[], ['--data', 'a', '--bag', 'b'], ['--data', 'a', '--limit', '0']]
)
def test_wrong_usage(model_file, arguments):
    with pytest.raises(SystemExit) as end:
        evaluate(model_file, *arguments)
    assert end.value.code == 2


def segment(model_file, *arguments):
    return main([
        'segment', '--model', str(model_file), '--engine', 'reference', *map(str, arguments)
    ])


def test_segment_writes_masks_and_overlays(tree, model, model_file, tmp_path, capsys):
    images = [tree / 'val' / 'images' / f'{i}.png' for i in range(2)]
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


def test_segment_goes_on_after_a_bad_image(tree, model_file, tmp_path, capsys):
    good = tree / 'val' / 'images' / '0.png'
    bad = tmp_path / 'bad.jpg'
    bad.write_bytes(b'no image')
    out = tmp_path / 'out'
    assert segment(model_file, bad, tmp_path / 'missing.png', good, '-o', out) == 1
    assert sorted(path.name for path in out.iterdir()) == ['0_mask.png', '0_overlay.png']
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and 'bad.jpg' in errors[0] and 'missing.png' in errors[1]


def test_segment_refuses_names_that_collide(tree, model_file, tmp_path, capsys):
    good = tree / 'val' / 'images' / '0.png'
    twin = tmp_path / '0.jpg'
    twin.write_bytes(b'')
    error = refused(capsys, segment(model_file, good, twin, '-o', tmp_path / 'out'))
    assert '0.png' in error and '0.jpg' in error
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('alpha', ['-0.1', '1.5', 'half'])
def test_segment_alpha_out_of_range(model_file, tmp_path, alpha):
    with pytest.raises(SystemExit):
        segment(model_file, 'a.png', '-o', tmp_path, f'--alpha={alpha}')
