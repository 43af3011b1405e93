# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate` on bags of several cameras, and on bags that are damaged or odd."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mbu_ros.cli import main
from mbu_ros.data.sample import Sample
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.evaluation.part_run import PartRunner

pytest.importorskip('rosbags')

from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: E402

from mbu_ros.bags.format import IMAGE, TYPESTORE  # noqa: E402
from mbu_ros.bags.messages import make_header, make_image  # noqa: E402
from mbu_ros.bags.reader import BagReader, decode  # noqa: E402

START, STEP = 1_700_000_000 * 10**9, 10**8
STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}


@pytest.fixture
def evaluate(model_file, tmp_path):
    """The report of `mbu evaluate` on bags."""

    def run(*arguments):
        path = tmp_path / 'report.json'
        command = ['evaluate', '--model', model_file, '--engine', 'reference']
        arguments = [*command, '--jobs', '1', *arguments, '--json', path]
        assert main([str(argument) for argument in arguments]) == 0
        return json.loads(path.read_text())

    return run


def write(path, messages, storage='mcap'):
    """A bag of (topic, stamp, pixels or message), logged at their stamps."""
    with Writer(path, version=8, storage_plugin=STORAGES[storage]) as writer:
        connections = {}
        for topic, stamp, pixels in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, IMAGE, typestore=TYPESTORE)
            message = pixels
            if isinstance(pixels, np.ndarray):
                encoding = 'rgb8' if pixels.ndim == 3 else 'mono8'
                message = make_image(make_header(stamp), pixels, encoding)
            writer.write(connections[topic], stamp, TYPESTORE.serialize_cdr(message, IMAGE))
    return path


def film(samples, camera, shift=0):
    """Messages of one camera: image and label of each frame."""
    for index, sample in enumerate(samples):
        stamp = START + index * STEP + shift
        yield f'/{camera}/image_raw', stamp, sample.image
        if sample.label is not None:
            yield f'/{camera}/label', stamp, sample.label


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_two_cameras(make_samples, evaluate, tmp_path, storage):
    samples = list(make_samples(6))
    both = [*film(samples[:4], 'front'), *film(samples[3:], 'rear', shift=STEP // 2)]
    bag = write(tmp_path / 'drive', sorted(both, key=lambda message: message[1]), storage)
    made = evaluate('--bag', bag)
    assert made['frames_out'] == made['labelled_frames'] == 7
    of_each = made['sequences']
    assert set(of_each) == {'drive:/front/image_raw', 'drive:/rear/image_raw'}
    front = evaluate('--bag', bag, '--image-topic', '/front/image_raw')
    assert front['frames_out'] == 4
    assert front['miou'] == of_each['drive:/front/image_raw']['miou']
    # The cameras' films are not mixed: three pairs and two.
    rear = evaluate('--bag', bag, '--image-topic', '/rear/image_raw')
    changed = [made['stability'] for made in (front, rear)]
    mean = (3 * changed[0]['change'] + 2 * changed[1]['change']) / 5
    assert made['stability']['change'] == pytest.approx(mean)


def test_labels_of_the_wrong_size_or_class_are_counted_and_left_out(
    make_samples, evaluate, tmp_path
):
    good, small, odd, without = make_samples(4)
    small = Sample('small', small.image, small.label[:-1])
    odd = Sample('odd', odd.image, np.full_like(odd.label, 9))
    without = Sample('without', without.image)
    made = evaluate('--bag', write(tmp_path / 'drive', film([good, small, odd, without], 'front')))
    assert made['frames_out'] == 4 and made['labelled_frames'] == 1
    assert (made['labels']['matched'], made['labels']['unusable']) == (1, 2)


def test_labels_that_are_late_need_a_tolerance(make_samples, evaluate, tmp_path):
    messages = []
    for index, sample in enumerate(make_samples(3)):
        stamp = START + index * STEP
        messages += [('/front/image_raw', stamp, sample.image)]
        messages += [('/front/label', stamp + 3_000_000, sample.label)]
    bag = write(tmp_path / 'drive', messages)
    strict = evaluate('--bag', bag)['labels']
    assert (strict['matched'], strict['unmatched']) == (0, 3)
    loose = evaluate('--bag', bag, '--label-tolerance', '5')['labels']
    assert (loose['matched'], loose['unmatched'], loose['tolerance_ms']) == (3, 0, 5.0)


def test_frames_of_mixed_sizes(make_samples, evaluate, tmp_path):
    first, second, third = make_samples(3)
    second = Sample('second', second.image[:32], second.label[:32])
    made = evaluate(
        '--bag', write(tmp_path / 'drive', film([first, second, third], 'front')),
        '--report', tmp_path / 'report',
    )
    assert made['frames_out'] == made['labelled_frames'] == 3
    assert made['stability']['change'] is None  # no two frames to compare


def test_what_is_left_of_a_bag_that_was_cut_off(make_samples, evaluate, tmp_path):
    bag = write(tmp_path / 'drive', film(make_samples(20), 'front'))
    (file,) = bag.glob('*.mcap')
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    made = evaluate('--bag', bag)
    assert 0 < made['frames_out'] < 20 and made['labelled_frames'] > 0
    assert any(file.name in note for note in made['notes'])


def test_images_that_cannot_be_used_are_dropped_frames(make_samples, evaluate, tmp_path):
    messages = list(film(make_samples(4), 'front'))
    topic, stamp, pixels = messages[2]
    whole = make_image(make_header(stamp), pixels, 'rgb8')
    messages[2] = topic, stamp, replace(whole, height=whole.height + 1)  # fewer bytes than it says
    made = evaluate('--bag', write(tmp_path / 'drive', messages), '--max-drop', '0.3')
    assert (made['frames_in'], made['frames_out'], made['frames_dropped']) == (4, 3, 1)
    assert made['dropped'] == {'unusable image': 1}
    assert made['thresholds'][0]['value'] == 0.25


def test_no_usable_image_at_all(model_file, tmp_path, capsys):
    bag = write(tmp_path / 'drive', [('/front/label', START, np.zeros((4, 4), np.uint8))])
    assert main(['evaluate', '--model', str(model_file), '--bag', str(bag)]) == 2
    assert '/front/label' in capsys.readouterr().err


def with_stamps(samples, stamps):
    """Messages of one camera with these stamps, logged at 10 Hz, and one label a second."""
    for index, (sample, stamp) in enumerate(zip(samples, stamps)):
        time = START + index * STEP
        image = make_image(make_header(stamp), sample.image, 'rgb8')
        yield '/front/image_raw', time, image
        if index % 10 == 0:
            yield '/front/label', time, make_image(make_header(stamp), sample.label, 'mono8')


@pytest.mark.parametrize('jobs', ['1', '2'])
@pytest.mark.parametrize('kind', ['twice', 'never set', 'looped'])
def test_frames_with_the_same_stamp_keep_their_own_masks(
    make_samples, model, evaluate, tmp_path, kind, jobs
):
    count = 60 if kind == 'looped' else 36
    samples = list(make_samples(count))
    stamps = {
        'twice': [START + index // 2 * 2 * STEP for index in range(36)],
        'never set': [0] * 36,
        'looped': [START + index % 30 * STEP for index in range(60)],  # in different parts
    }[kind]
    bag = write(tmp_path / 'drive', with_stamps(samples, stamps))
    out, masks = tmp_path / 'out', tmp_path / 'masks'
    made = evaluate(
        '--bag', bag, '--jobs', jobs, '--write-bag', out, '--save-masks', masks,
        '--report', tmp_path / 'report',
    )
    assert made['frames_out'] == count
    shared = f'{count} of {count} frames share their stamp'
    assert any(shared in note for note in made['notes'])
    engine = ReferenceEngine(model)
    written = BagReader(out, '/front/segmentation/mask', '')
    found = [decode(message).data for message in written.messages({written.image_topic})]
    for sample, mask in zip(samples, found):
        assert np.array_equal(mask, engine.segment([sample.image])[0].labels.ravel())
    assert len(found) == len(list(masks.rglob('*.png'))) == count
    # A stamp that was never set is not that of any label.
    labels = made['labels']
    given = -(-count // 10)
    expected = (0, given) if kind == 'never set' else (given, 0)
    assert (labels['matched'], labels['unmatched']) == expected
    page = (tmp_path / 'report' / 'report.html').read_text()
    assert page.count('alt="image of') == min(6, labels['matched'] or 6)


@pytest.mark.parametrize('limit', ['5', '20', '39'])
@pytest.mark.parametrize('late', [-3, 3])
def test_the_first_frames_leave_no_label_over(make_samples, evaluate, tmp_path, limit, late):
    messages = []
    for index, sample in enumerate(make_samples(40)):
        stamp = START + index * STEP
        label = make_image(make_header(stamp), sample.label, 'mono8')
        messages.append(('/front/image_raw', stamp, sample.image))
        messages.append(('/front/label', stamp + late * STEP // 10, label))
    messages.sort(key=lambda message: message[1])
    made = evaluate('--bag', write(tmp_path / 'drive', messages), '--limit', limit)
    assert made['labelled_frames'] == int(limit)
    assert (made['labels']['matched'], made['labels']['unmatched']) == (int(limit), 0)


def test_a_report_in_the_folder_of_the_bag_can_be_resumed(
    make_samples, evaluate, tmp_path, monkeypatch
):
    bag = write(tmp_path / 'drive', film(make_samples(20), 'front'))
    with monkeypatch.context() as patch:
        patch.setattr(PartRunner, 'run', lambda *arguments: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            evaluate('--bag', bag, '--report', bag / 'report')
    assert evaluate('--bag', bag, '--report', bag / 'report', '--resume')['frames_out'] == 20
