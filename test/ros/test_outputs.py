# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is published beside the mask, and that it is made for subscribers only; no DDS."""

import sys
import types

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from mbu_ros.imaging.messages import to_label, to_rgb
from mbu_ros.imaging.overlay import colorize, overlay
from mbu_ros.imaging.resize import resize_frame, resize_mask
from mbu_ros.node import outputs, pictures, result_image
from mbu_ros.node.camera_info import matching, scaled
from mbu_ros.node.parameters import CameraSettings
from mbu_ros.node.timing import TIMES

from .camera_fakes import MODEL, Engine, compressed, image, picture

COLORS = MODEL.classes.colors


def labels_of(pixels):
    return pixels[..., 0] % 3


def segment(one, message, name=''):
    """Pass a frame through, and wait for its pictures."""
    one.send(message, name)
    one.jobs.run()
    one.cameras[name]._outputs._pictures._thread.drain()


def test_colours_and_overlays(rig):
    one = rig()
    color, blended, packed = (
        one.watch(output=output) for output in ('color', 'overlay', 'overlay/compressed')
    )
    for number, alpha in ((1, 0.5), (2, 1.0), (3, 0.0)):
        one.live.overlay_alpha = alpha
        segment(one, image(number))
        pixels = picture(number)
        labels = labels_of(pixels)
        for message in (color[-1], blended[-1], packed[-1]):
            assert message.header == image(number).header
        assert (color[-1].encoding, blended[-1].encoding) == ('rgb8', 'rgb8')
        np.testing.assert_array_equal(to_rgb(color[-1]), colorize(labels, COLORS))
        expected = overlay(pixels, labels, COLORS, alpha)
        np.testing.assert_array_equal(to_rgb(blended[-1]), expected)
        assert 'jpeg' in packed[-1].format
    flat = image(4)  # noise is what JPEG is worst at
    flat.data[:] = type(flat.data)('B', bytes([200, 20, 90]) * 600)
    one.live.overlay_alpha = 0.0
    segment(one, flat)
    assert np.abs(to_rgb(packed[-1]).astype(int) - (200, 20, 90)).max() <= 4


def test_overlays_of_compressed_images_and_of_the_networks_size(rig):
    settings = CameraSettings('a', transport='compressed'), CameraSettings('b', mask_size='network')
    one = rig(*settings)
    content = cv2.imencode('.png', picture(1)[..., ::-1])[1]
    blended = one.watch('a', 'overlay')
    segment(one, compressed(content, 1), 'a')
    expected = overlay(picture(1), labels_of(picture(1)), COLORS)
    np.testing.assert_array_equal(to_rgb(blended[0]), expected)

    results = {output: one.watch('b', output) for output in ('color', 'overlay', 'confidence')}
    segment(one, image(2, 48, 96), 'b')
    pixels = picture(2, 48, 96)
    labels = resize_mask(labels_of(pixels), 24, 32)
    found = {output: messages[0] for output, messages in results.items()}
    np.testing.assert_array_equal(to_rgb(found['color']), colorize(labels, COLORS))
    expected = overlay(resize_frame(pixels, 24, 32), labels, COLORS)
    np.testing.assert_array_equal(to_rgb(found['overlay']), expected)
    np.testing.assert_array_equal(
        to_label(found['confidence']), resize_mask(pixels[..., 1], 24, 32)
    )


def test_confidence_as_bytes_and_as_numbers(rig):
    for encoding in ('mono8', '32FC1'):
        one = rig(confidence_encoding=encoding)
        messages = one.watch(output='confidence')
        segment(one, image(1))
        assert one.engine.calls == [([('rgb8', 20, 30)], True)]
        (message,) = messages
        assert message.header == image(1).header and message.encoding == encoding
        if encoding == 'mono8':
            np.testing.assert_array_equal(to_label(message), picture(1)[..., 1])
            continue
        assert message.step == 120 and message.is_bigendian == (sys.byteorder == 'big')
        scores = np.frombuffer(message.data, np.float32).reshape(20, 30)
        np.testing.assert_array_equal(scores, picture(1)[..., 1].astype(np.float32) / 255)


def test_confidence_threshold_is_live(rig):
    one = rig()
    masks, color = one.publisher().messages, one.watch(output='color')
    pixels, calls = picture(1), []
    for threshold in (0.5, 1.0, 0.0):
        one.live.confidence_threshold = threshold
        segment(one, image(1))
        expected = np.where(pixels[..., 1] / 255 < threshold, 255, labels_of(pixels))
        np.testing.assert_array_equal(to_label(masks[-1]), expected)
        np.testing.assert_array_equal(
            to_rgb(color[-1]), colorize(expected.astype(np.uint8), COLORS)
        )
        calls.append(one.engine.calls[-1][1])
    assert calls == [True, True, False]


def test_a_camera_that_wants_scores_does_not_make_the_others_pay(rig):
    one = rig(CameraSettings('a'), CameraSettings('b'))
    one.watch('b', 'confidence')
    one.send(image(1), 'a')
    one.send(image(2), 'b')
    one.jobs.run()
    assert [wanted for _, wanted in one.engine.calls] == [False, True]


MAKERS = {
    'color': (pictures, 'colorize'),
    'overlay': (pictures, 'overlay'),
    'overlay/compressed': (pictures, 'fill_jpeg'),
    'timing': (outputs, 'timing_message'),
    'confidence': (outputs.cv2, 'convertScaleAbs'),
}


@pytest.mark.parametrize('output', ['mask', *MAKERS])
def test_nothing_is_made_for_a_topic_without_subscribers(rig, monkeypatch, output):
    one = rig()
    made = []
    for name, (module, function) in MAKERS.items():
        original = getattr(module, function)
        monkeypatch.setattr(
            module,
            function,
            lambda *a, name=name, original=original: made.append(name) or original(*a),
        )
    written = []
    pixels = result_image.ResultImage.pixels

    def write(self, *arguments):
        written.append(self.message.encoding)
        return pixels(self, *arguments)

    monkeypatch.setattr(result_image.ResultImage, 'pixels', write)
    one.watch(subscribers=0)
    one.watch(output=output)
    segment(one, image(1))
    expected = {'mask': [], 'overlay/compressed': ['overlay', 'overlay/compressed']}
    assert made == expected.get(output, [output])
    memory = {'color': ['rgb8'], 'overlay': ['rgb8'], 'overlay/compressed': ['rgb8'], 'timing': []}
    assert written == memory.get(output, ['mono8'])
    published = {
        name for name in one.cameras[''].result_topics if one.publisher(output=name).messages
    }
    assert published == {output}


def test_memory_of_results_is_used_again(rig, monkeypatch):
    one = rig()
    addresses = set()
    publisher = one.publisher()
    publish = publisher.publish

    def note(message):
        addresses.add(message.data.buffer_info()[0])
        publish(message)

    monkeypatch.setattr(publisher, 'publish', note)
    for number in range(4):
        segment(one, image(number))
    assert len(addresses) == 1
    stamps = [mask.header.stamp.sec for mask in publisher.messages]
    assert stamps == [0, 1, 2, 3]


def test_labels_may_be_overwritten_by_the_next_call(rig):
    one = rig()
    lent = np.zeros((20, 30), np.uint8)

    class Lender(Engine):
        def segment(self, frames, *, confidence=False):
            (result,) = super().segment(frames, confidence=confidence)
            lent[...] = result.labels
            return [types.SimpleNamespace(**{**vars(result), 'labels': lent})]

    one.jobs.engine = Lender()
    color = one.watch(output='color')
    draw = one.cameras['']._outputs._pictures
    begin = draw._draw
    draw._draw = lambda scene: (lent.fill(2), begin(scene))
    segment(one, image(1))
    np.testing.assert_array_equal(to_rgb(color[0]), colorize(labels_of(picture(1)), COLORS))
    np.testing.assert_array_equal(to_label(one.publisher().messages[0]), labels_of(picture(1)))


def test_a_picture_that_fails_costs_no_frame(rig, monkeypatch):
    one = rig()
    one.watch(output='color')

    def fail(*_):
        raise MemoryError('no room')

    with monkeypatch.context() as patch:
        patch.setattr(pictures, 'colorize', fail)
        segment(one, image(1))
    assert one.count() == (1, 1, {})
    assert 'A picture could not be published: MemoryError: no room' in one.node.lines
    segment(one, image(2))
    assert len(one.publisher(output='color').messages) == 1


def test_timing_tells_where_the_time_went(rig):
    one = rig(CameraSettings('front'), CameraSettings('rear', transport='compressed'))
    front, rear = (one.watch(name, 'timing') for name in ('front', 'rear'))
    one.node.nanoseconds = 3_000_000_000
    one.send(image(2), 'front')
    one.send(compressed(cv2.imencode('.jpg', picture())[1], 1), 'rear')
    one.jobs.run()
    for (message,), name, number in ((front, 'front', 2), (rear, 'rear', 1)):
        assert message.header == image(number).header
        (status,) = message.status
        assert status.name == f'robot/segment: {name} timing'
        found = {item.key: item.value for item in status.values}
        assert set(found) == {f'{key} (ms)' for key in TIMES} | {'batch size', 'camera'}
        assert (found['batch size'], found['camera']) == ('2', name)
        times = {key: float(found[f'{key} (ms)']) for key in TIMES}
        assert (times['resize'], times['network'], times['mask']) == (1, 2, 3)
        assert all(value >= 0 for value in times.values())
        parts = sum(times[key] for key in ('wait', 'decode', 'engine', 'publish'))
        assert times['total'] == pytest.approx(parts, abs=0.01)
        assert (times['decode'] > 0) == (name == 'rear')
        # Received when the clock showed 3 s, stamped half a second past its number.
        assert times['received'] == pytest.approx(2500 - 1000 * number, abs=times['total'] + 50)


def test_timing_without_a_clock(rig):
    one = rig()
    messages = one.watch(output='timing')
    segment(one, image(2))
    found = {item.key: item.value for item in messages[0].status[0].values}
    assert found['received (ms)'] == '' and float(found['total (ms)']) > 0
    assert messages[0].status[0].name == 'robot/segment: timing'


def calibration(number, height=20, width=30):
    info = CameraInfo(height=height, width=width, distortion_model='plumb_bob', d=[0.1, 0.2])
    info.header = image(number).header
    info.k = [100.0 + number, 0.0, 15.0, 0.0, 110.0, 10.0, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [90.0, 0.0, 15.0, -4.0, 0.0, 95.0, 10.0, 2.0, 0.0, 0.0, 1.0, 0.0]
    return info


def test_calibration_follows_the_frames(rig):
    one = rig(CameraSettings('front'))
    source = '/robot/front/camera_info'
    one.send(image(1), 'front')
    one.jobs.run()
    assert source not in one.node.subscriptions  # nobody asked
    infos = one.watch('front', 'camera_info')
    one.send(image(2), 'front')
    one.jobs.run()
    assert not infos  # none has come yet
    for number in (3, 4):
        one.node.subscriptions[source].callback(calibration(number))
    one.send(image(3), 'front')
    one.jobs.run()
    assert infos[0] == calibration(3)
    one.send(image(9), 'front')  # of no calibration that came: the newest
    one.jobs.run()
    assert infos[1].header == image(9).header and infos[1].k[0] == 104
    one.watch('front', 'camera_info', 0)
    one.send(image(10), 'front')
    assert source not in one.node.subscriptions and len(infos) == 2


def test_calibration_of_another_size_is_not_passed_on(rig):
    one = rig()
    infos = one.watch(output='camera_info')
    one.send(image(1))
    one.node.subscriptions['/robot/camera_info'].callback(calibration(1, 40, 60))
    one.jobs.run()
    assert not infos and one.count() == (1, 1, {})
    assert any('60x40' in line and '30x20' in line for line in one.node.lines)


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_calibration_alone_takes_no_engine(rig, monkeypatch, transport):
    one = rig(CameraSettings(transport=transport, mask_size='network'))
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    one.watch(subscribers=0)
    infos = one.watch(output='camera_info')
    raw = image(2, 48, 96)
    packed = compressed(cv2.imencode('.jpg', picture(2, 48, 96))[1], 2)
    message = raw if transport == 'raw' else packed
    one.send(message)
    one.node.subscriptions['/robot/camera_info'].callback(calibration(2, 48, 96))
    one.send(message)
    one.jobs.run()
    assert not one.engine.calls
    assert (infos[-1].height, infos[-1].width) == (24, 32)
    received, segmented, drops = one.count()
    assert (received, segmented) == (2, 0) and drops['unwatched'] >= 1


def test_bad_frames_are_counted_once_where_calibration_alone_is_wanted(rig):
    one = rig(CameraSettings(transport='compressed'))
    one.watch(subscribers=0)
    one.watch(output='camera_info')
    one.send(compressed(b'no image at all'))
    one.jobs.run()
    assert one.count() == (1, 0, {'bad': 1})


def test_a_calibration_that_cannot_be_subscribed_to_costs_no_frame(rig, monkeypatch):
    one = rig()

    def refuse(*_, **__):
        raise RuntimeError('incompatible type')

    monkeypatch.setattr(one.node, 'create_subscription', refuse)
    one.watch(output='camera_info')
    one.send(image(1))
    one.jobs.run()
    assert one.count() == (1, 1, {})
    assert 'No calibration from /robot/camera_info: incompatible type' in one.node.lines


def test_a_frame_that_was_not_decoded_when_it_came_is_not_segmented(rig):
    one = rig(CameraSettings(transport='compressed'))
    one.watch(subscribers=0)
    one.watch(output='camera_info')
    one.send(compressed(cv2.imencode('.jpg', picture())[1]))
    one.watch()  # a moment too late
    one.jobs.run()
    assert not one.engine.calls and one.count() == (1, 0, {'unwatched': 1})


def test_scaling_a_calibration():
    info = calibration(1)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 3, 2, 24, 16
    result = scaled(info, image(5).header, (16, 24), (32, 12))
    assert result.header == image(5).header
    assert (result.height, result.width) == (40, 15)
    assert result.k.tolist() == [50.5, 0, 7.5, 0, 220, 20, 0, 0, 1]
    assert result.p.tolist() == [45, 0, 7.5, -2, 0, 190, 20, 4, 0, 0, 1, 0]
    assert (result.r == info.r).all() and result.d == info.d
    assert result.distortion_model == 'plumb_bob'
    roi = result.roi
    assert (roi.x_offset, roi.y_offset, roi.width, roi.height) == (2, 4, 12, 32)
    assert scaled(info, info.header, (16, 24), (16, 24)) == info
    info.roi.x_offset = info.roi.width = 2**32 - 1  # nothing a message could hold if enlarged
    roi = scaled(info, info.header, (16, 24), (32, 48)).roi
    assert (roi.x_offset, roi.width) == (2**32 - 1, 2**32 - 1)


def test_matching_takes_stamp_then_age_and_knows_binning():
    stamp = image(2).header.stamp
    infos = tuple(calibration(number) for number in (1, 2, 3))
    assert matching(infos, stamp, (20, 30)) is infos[1]
    assert matching(infos, image(9).header.stamp, (20, 30)) is infos[2]
    assert matching(infos, stamp, (40, 60)) is None and matching((), stamp, (20, 30)) is None
    binned = calibration(4, 40, 60)
    binned.binning_x = binned.binning_y = 2
    assert matching((binned,), stamp, (20, 30)) is binned
    binned.roi.height, binned.roi.width = 20, 40
    assert matching((binned,), stamp, (20, 30)) is None
    assert matching((binned,), stamp, (10, 20)) is binned


@pytest.fixture
def vision_msgs(monkeypatch):
    """What vision_msgs has of labels, where it is not installed."""

    def header():
        return types.SimpleNamespace(stamp=None, frame_id='')

    class VisionClass:
        def __init__(self):
            self.class_id, self.class_name = 0, ''

    class LabelInfo:
        def __init__(self):
            self.header, self.class_map, self.threshold = header(), [], 0.0

    messages = types.ModuleType('vision_msgs.msg')
    messages.VisionClass, messages.LabelInfo = VisionClass, LabelInfo
    package = types.ModuleType('vision_msgs')
    package.msg = messages
    monkeypatch.setitem(sys.modules, 'vision_msgs', package)
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', messages)
    return messages


def test_label_info_is_latched_and_follows_model_and_threshold(rig, vision_msgs):
    one = rig(CameraSettings('front'))
    publisher = one.publisher('front', 'label_info')
    assert publisher.kind is vision_msgs.LabelInfo
    assert publisher.qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert publisher.qos.reliability == ReliabilityPolicy.RELIABLE
    (first,) = publisher.messages
    found = [(entry.class_id, entry.class_name) for entry in first.class_map]
    assert found == [(0, 'class0'), (1, 'class1'), (2, 'class2')] and first.threshold == 0
    one.send(image(1), 'front')
    one.jobs.run()
    assert len(publisher.messages) == 1
    one.live.confidence_threshold = 0.25
    one.send(image(2), 'front')
    one.jobs.run()
    assert [message.threshold for message in publisher.messages] == [0, 0.25]

    class Other(Engine):
        model = types.SimpleNamespace(
            classes=types.SimpleNamespace(names=('road',), colors=((1, 2, 3),)),
            input_size=(24, 32),
        )

    one.jobs.engine = Other()
    order = []
    for output in ('mask', 'label_info'):
        watched = one.publisher('front', output)
        watched.publish = lambda message, output=output: order.append((output, message))
    one.send(image(3), 'front')
    one.jobs.run()
    # What labels mean is said before the first mask with them.
    assert [output for output, _ in order] == ['label_info', 'mask']
    assert [entry.class_name for entry in order[0][1].class_map] == ['road']


def test_label_info_can_be_switched_off(rig, vision_msgs):
    one = rig()
    one.live.topics = ('mask',)
    one.cameras[''].set_classes(types.SimpleNamespace(names=('other',), colors=((0, 0, 0),)))
    assert len(one.publisher(output='label_info').messages) == 1


def test_without_vision_msgs_there_is_no_label_info(rig, monkeypatch):
    monkeypatch.setitem(sys.modules, 'vision_msgs', None)
    one = rig()
    assert 'label_info' not in one.cameras[''].result_topics
    segment(one, image(1))
    assert one.count() == (1, 1, {})


def test_label_info_of_the_real_vision_msgs(peer, wait_until):
    messages = pytest.importorskip('vision_msgs.msg', reason='vision_msgs comes with ROS 2')
    from mbu_ros.node.label_info import LATCHED_QOS, LabelInfoPublisher

    publisher = LabelInfoPublisher(peer.node, 'label_info')
    publisher.update(MODEL.classes, 0.5)
    found = peer.collect(messages.LabelInfo, '/label_info', LATCHED_QOS)
    wait_until(lambda: found, 'a message that was published before')
    assert [entry.class_name for entry in found[0].class_map] == list(MODEL.classes.names)
    publisher.destroy()
