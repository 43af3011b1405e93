# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `mbu evaluate` makes of trees and bags, with the reference engine and a random model."""

import csv
import json
import sys

import cv2
import pytest

from mbu_ros.cli import main
from mbu_ros.data.files import read_image
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.errors import InputError
from mbu_ros.evaluation.metrics import ConfusionMatrix

IMAGE, LABEL = '/camera/image_raw', '/camera/label'


@pytest.fixture
def tree(write_tree, tmp_path):
    """A data tree of three frames."""
    return write_tree(tmp_path / 'data', 3)


@pytest.fixture
def bag(write_bag, tmp_path):
    """A bag of the same frames at 5 Hz."""
    return write_bag(tmp_path / 'drive', 3, rate_hz=5.0)


@pytest.fixture
def evaluate(model_file):
    """Runs `mbu evaluate` in this process, and returns its exit code."""

    def run(*arguments):
        command = ['evaluate', '--model', model_file, '--engine', 'reference', '--jobs', '1']
        return main([str(argument) for argument in [*command, *arguments]])

    return run


@pytest.fixture
def report(evaluate, tmp_path):
    """The report of `mbu evaluate`."""

    def run(*arguments, code=0):
        path = tmp_path / 'of_this.json'
        assert evaluate(*arguments, '--json', path) == code
        return json.loads(path.read_text())

    return run


def test_a_tree(tree, model, model_file, evaluate, tmp_path, capsys):
    out, folder = tmp_path / 'out.json', tmp_path / 'report'
    assert evaluate('--data', tree, '--json', out, '--report', folder) == 0
    expected = ConfusionMatrix(3)
    for i in range(3):
        image = read_image(tree / 'val' / 'images' / f'00{i}.png')
        label = cv2.imread(str(tree / 'val' / 'labels' / f'00{i}.png'), cv2.IMREAD_UNCHANGED)
        expected.add(label, ReferenceEngine(model).segment([image])[0].labels)
    report = json.loads(out.read_text())
    assert report['confusion']['counts'] == expected.counts.tolist()
    assert report['miou'] == expected.miou() and 0 < report['miou'] < 1
    assert report['frames_out'] == report['frames_in'] == report['labelled_frames'] == 3
    assert (report['engine'], report['model']) == ('reference', 'random')
    assert (report['mode'], report['source']) == ('offline', 'random (val)')
    assert report['configuration']['model'] == str(model_file)
    assert len(report['model_sha256']) == 64
    assert json.loads((folder / 'report.json').read_text()) == report
    names = {path.name for path in folder.iterdir()}
    assert names >= {'report.json', 'frames.csv', 'report.html', 'overlays.png'}
    assert '.parts' not in names  # of no use any more
    printed = capsys.readouterr().out
    assert 'Engine: reference' in printed and 'asked for' in printed
    assert 'class2' in printed and str(out) in printed and 'overlays.png' in printed


def test_limit(tree, report):
    assert report('--data', tree, '--limit', 2)['frames_out'] == 2


def test_a_bag_gives_the_same_figures_as_the_tree_it_was_made_of(tree, bag, report, tmp_path):
    of_tree = report('--data', tree)
    topics = '--image-topic', IMAGE, '--label-topic', LABEL
    folder = tmp_path / 'report'
    of_bag = report('--bag', bag, *topics, '--report', folder)
    assert of_bag['source'] == 'drive'
    for key in ('confusion', 'iou', 'miou', 'boundary_f1', 'frames_in', 'labelled_frames'):
        assert of_bag[key] == of_tree[key]
    assert of_tree['stability'] == {'flicker': None, 'change': None}  # no film
    assert 0 < of_bag['stability']['change'] < 1
    lines = list(csv.DictReader((folder / 'frames.csv').open()))
    assert [float(line['time_s']) for line in lines] == pytest.approx([0.0, 0.2, 0.4])


def test_a_bag_without_labels_gives_everything_but_accuracy(
    write_bag, other_model_file, report, tmp_path, capsys
):
    bag = write_bag(tmp_path / 'unlabelled', 3, labels=False)
    folder = tmp_path / 'report'
    made = report('--bag', bag, '--limit', 2, '--report', folder, '--against', other_model_file)
    assert (made['frames_out'], made['frames_dropped'], made['labelled_frames']) == (2, 0, 0)
    assert made['miou'] is None and made['pixel_accuracy'] is None
    assert made['latency_ms']['p50'] > 0 and made['stages_ms']['network']['p50'] > 0
    assert 0 < made['agreement']['pixel_share'] < 1 and made['stability']['change'] > 0
    assert 'No labels' in capsys.readouterr().out
    assert (folder / 'overlays.png').is_file()


def test_a_model_agrees_with_itself(bag, model_file, report):
    agreement = report('--bag', bag, '--against', model_file)['agreement']
    assert agreement['pixel_share'] == 1.0 and set(agreement['iou'].values()) == {1.0}


def test_several_bags(write_bag, report, tmp_path):
    for name in ('monday', 'tuesday'):
        write_bag(tmp_path / 'bags' / name, 2)
    made = report('--bag', tmp_path / 'bags')
    assert made['frames_out'] == 4 and made['source'] == '2 bags: monday, tuesday'
    assert set(made['sequences']) == {f'monday:{IMAGE}', f'tuesday:{IMAGE}'}


def test_labels_within_a_tolerance(bag, report):
    made = report('--bag', bag, '--label-tolerance', '2.5')
    assert made['labels'] == {
        'matched': 3, 'unmatched': 0, 'unusable': 0, 'tolerance_ms': 2.5
    }


def test_without_boundaries(bag, report):
    assert report('--bag', bag, '--boundary', 'none')['boundary_f1'] == {}
    assert set(report('--bag', bag, '--boundary', '4', '2')['boundary_f1']) == {'2', '4'}


def test_masks_and_a_bag_with_them(bag, model, evaluate, tmp_path):
    from mbu_ros.bags.reader import BagReader
    from mbu_ros.imaging.messages import to_label

    masks, out = tmp_path / 'masks', tmp_path / 'out'
    stale = masks / '__camera__image_raw' / '1000000000.400000000.png'
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b'of an earlier run')
    assert evaluate(
        '--bag', bag, '--limit', 2, '--save-masks', masks, '--write-bag', out
    ) == 0
    engine = ReferenceEngine(model)
    from mbu_ros.bags.reader import decode

    added = [
        to_label(decode(message))
        for message in BagReader(out, IMAGE).messages(['/camera/segmentation/mask'])
    ]
    samples = list(BagReader(bag).samples(2))
    assert len(added) == 2
    for sample, mask in zip(samples, added):
        expected = engine.segment([sample.image])[0].labels
        assert (mask == expected).all()
        file = masks / '__camera__image_raw' / f'{sample.name}.png'
        assert (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) == expected).all()


def test_several_bags_with_their_masks(write_bag, evaluate, tmp_path):
    from mbu_ros.bags.reader import BagReader

    for name in ('monday', 'tuesday'):
        write_bag(tmp_path / 'bags' / name, 2)
    damaged = tmp_path / 'bags' / 'damaged.mcap'
    damaged.write_bytes(b'')
    assert evaluate('--bag', tmp_path / 'bags', '--write-bag', tmp_path / 'out') == 0
    damaged.unlink()
    for name in ('monday', 'tuesday'):
        topics = BagReader(tmp_path / 'out' / name).topics
        assert topics['/camera/segmentation/mask'].messages == 2


def test_generated_scenes_are_films(report):
    from mbu_ros.model.catalog import shipped_models

    if 'synthetic' not in shipped_models():
        pytest.skip('the shipped models are not here')
    made = report('--scenes', 2, '--model', 'synthetic', '--boundary', 'none')
    assert made['frames_out'] == 2 and list(made['sequences']) == ['drive000001']
    assert 0 < made['stability']['flicker'] < made['stability']['change'] < 1


@pytest.mark.parametrize(
    'limits, code',
    [
        (('--min-miou', '0.01', '--max-drop', '0'), 0),
        (('--min-miou', '0.999'), 3),
        (('--max-p95-ms', '0.0001'), 3),
    ],
)
def test_limits_decide_the_exit_code(tree, report, limits, code):
    made = report('--data', tree, *limits, code=code)
    assert [entry['passed'] for entry in made['thresholds']].count(False) == (code == 3)


def test_comparison_needs_no_model(tree, evaluate, tmp_path, capsys):
    for name in ('a', 'b'):
        assert evaluate('--data', tree, '--report', tmp_path / name) == 0
    capsys.readouterr()
    arguments = '--compare', tmp_path / 'a', tmp_path / 'b', '--report', tmp_path / 'both'
    assert main(['evaluate', *map(str, arguments)]) == 0
    assert (tmp_path / 'both' / 'compare.html').is_file()
    assert 'class2' in capsys.readouterr().out


def test_the_peak_goes_into_the_report(bag, report, monkeypatch, capsys):
    pytest.importorskip('rclpy')
    from mbu_ros.commands import evaluate_peak

    peak = {'peak_hz': 12.0, 'runs': [], 'tries': [], 'max_drop': 0.01}
    asked = []

    def find_peak(cameras, model, engine, *, say):
        asked.append(([len(camera.messages) for camera in cameras], engine))
        return peak

    monkeypatch.setattr(evaluate_peak, 'find_peak', find_peak)
    monkeypatch.setattr(evaluate_peak, 'print_peak', lambda peak, console: print('the peak'))
    assert report('--bag', bag, '--find-peak')['peak']['peak_hz'] == 12.0
    assert asked == [([3], 'reference')] and 'the peak' in capsys.readouterr().out


def test_the_peak_alone(tree, evaluate, monkeypatch, capsys):
    pytest.importorskip('rclpy')
    from mbu_ros.commands import evaluate_peak

    sent = []
    monkeypatch.setattr(
        evaluate_peak, 'find_peak', lambda cameras, *_, **__: sent.append(cameras) or {}
    )
    monkeypatch.setattr(evaluate_peak, 'print_peak', lambda *_: None)
    assert evaluate('--data', tree, '--find-peak', '--limit', 2) == 0
    ((camera,),) = sent
    assert len(camera.messages) == 2 and camera.source == 'random (val)'
    assert 'Frames in' not in capsys.readouterr().out  # nothing was evaluated


def test_a_peak_that_is_not_found_costs_only_the_peak(
    bag, report, tmp_path, monkeypatch, capsys
):
    evaluate_peak = pytest.importorskip('mbu_ros.commands.evaluate_peak')

    def fail(args, console):
        raise InputError('the node ended')

    monkeypatch.setattr(evaluate_peak, 'measure_peak', fail)
    monkeypatch.setattr('mbu_ros.evaluation.live.run.check_run', lambda model: None)
    made = report('--bag', bag, '--find-peak', '--write-bag', tmp_path / 'out', code=1)
    assert made['frames_out'] == 3 and made['peak'] is None
    assert any('the node ended' in note for note in made['notes'])
    assert (tmp_path / 'out').is_dir()
    assert capsys.readouterr().err.splitlines()[-1] == (
        'mbu: the peak was not found: the node ended'
    )


def test_a_reader_who_leaves_costs_no_report(bag, evaluate, tmp_path, monkeypatch):
    def leave(report, console):
        raise SystemExit(1)  # as rich does where a pipe is closed: `mbu evaluate ... | head`

    monkeypatch.setattr('mbu_ros.commands.evaluate_offline.print_report', leave)
    with pytest.raises(SystemExit):
        evaluate('--bag', bag, '--report', tmp_path / 'out', '--json', tmp_path / 'made.json')
    for path in ('out/report.json', 'out/report.html', 'made.json'):
        assert (tmp_path / path).stat().st_size > 0


def test_a_peak_without_ros_is_refused_before_the_work(bag, evaluate, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    assert evaluate('--bag', bag, '--find-peak', '--min-miou', '0') == 2
    said = capsys.readouterr()
    assert 'rclpy is not installed' in said.err and 'Frames in' not in said.out
