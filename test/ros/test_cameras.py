# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras from message to engine and back, with a node and an engine made for the test; no DDS."""

import array
import threading
import time

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.engine.base import EngineError
from mbu_ros.imaging.messages import to_label
from mbu_ros.imaging.resize import resize_frame
from mbu_ros.node import cameras as cameras_module
from mbu_ros.node.parameters import CameraSettings

from .camera_fakes import compressed, image, picture


def jpeg(pixels):
    return cv2.imencode('.jpg', pixels[..., ::-1])[1].tobytes()


def png(pixels):
    return cv2.imencode('.png', pixels[..., ::-1])[1].tobytes()


def test_names_of_topics(rig):
    one = rig(CameraSettings('front'), CameraSettings('rear', transport='compressed'))
    front, rear = one.cameras.values()
    assert front.topic == '/robot/front/image' and rear.topic == '/robot/rear/image/compressed'
    kinds = [one.node.subscriptions[camera.topic].kind for camera in (front, rear)]
    assert kinds == [Image, CompressedImage]
    outputs = ('mask', 'color', 'overlay', 'overlay/compressed', 'confidence', 'timing')
    for output in (*outputs, 'camera_info'):
        assert rear.result_topics[output] == f'/robot/rear/segmentation/{output}'
    unnamed = rig().cameras['']
    assert unnamed.topic == '/robot/image'
    assert unnamed.result_topics['mask'] == '/robot/segmentation/mask'


def test_frames_that_wait_together_are_one_batch_and_keep_their_headers(rig):
    one = rig(CameraSettings('front'), CameraSettings('rear'))
    one.send(image(1), 'front')
    one.send(image(2, 24, 16, 'bgr8'), 'rear')
    assert one.jobs.run() == 1
    assert one.engine.calls == [([('rgb8', 20, 30), ('bgr8', 24, 16)], False)]
    for name, number, red in (('front', 1, 0), ('rear', 2, 2)):
        (mask,) = one.publisher(name).messages
        assert mask.header == image(number).header and mask.encoding == 'mono8'
        height, width = (20, 30) if name == 'front' else (24, 16)
        expected = picture(number, height, width)[..., red] % 3
        np.testing.assert_array_equal(to_label(mask), expected)
        assert one.count(name) == (1, 1, {})


def test_only_the_newest_of_each_camera_is_segmented(rig):
    one = rig(CameraSettings('front'), CameraSettings('rear'))
    for number in range(5):
        one.send(image(number), 'front')
    one.send(image(9), 'rear')
    assert one.jobs.run() == 1
    stamps = [one.publisher(name).messages[0].header.stamp.sec for name in ('front', 'rear')]
    assert stamps == [4, 9]
    assert one.count('front') == (5, 1, {'superseded': 4})
    assert one.count('rear') == (1, 1, {})


def test_without_subscribers_the_engine_rests(rig):
    one = rig()
    one.watch(subscribers=0)
    for number in range(3):
        one.send(image(number))
    assert one.jobs.run() == 0 and not one.engine.calls
    assert one.count() == (3, 0, {'unwatched': 3})
    assert not any(publisher.messages for publisher in one.node.publishers.values())
    one.watch()
    one.send(image(7))
    one.jobs.run()
    assert one.count() == (4, 1, {'unwatched': 3})


def test_a_subscriber_that_leaves_spares_the_engine_the_frame_that_waits(rig):
    one = rig()
    one.send(image())
    one.watch(subscribers=0)
    one.jobs.run()
    assert not one.engine.calls and one.count() == (1, 0, {'unwatched': 1})


def test_outputs_that_are_switched_off_stay_silent(rig):
    one = rig()
    one.live.topics = ('confidence',)
    one.send(image())
    assert one.count() == (1, 0, {'unwatched': 1})
    one.live.topics = ('mask',)
    one.watch(output='confidence')
    one.send(image())
    one.jobs.run()
    assert one.engine.calls == [([('rgb8', 20, 30)], False)]
    assert len(one.publisher().messages) == 1
    assert not one.publisher(output='confidence').messages


def test_more_frames_than_max_rate_are_dropped_and_the_limit_is_live(rig, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(cameras_module.time, 'perf_counter', lambda: now[0])
    one = rig()
    one.live.rate = 10.0
    for number in range(30):  # one second of 30 Hz
        one.send(image(number))
        one.jobs.run()
        now[0] += 1 / 30
    assert one.count() == (30, 10, {'rate': 20})
    one.live.rate = 0.0
    for number in range(30):
        one.send(image(number))
        one.jobs.run()
    assert one.count() == (60, 40, {'rate': 20})


def test_closing_drops_what_waits_as_stopped(rig):
    settings = CameraSettings('front'), CameraSettings('rear', transport='compressed')
    one = rig(*settings)
    front, rear = one.cameras.values()
    one.send(image(), 'front')
    one.send(compressed(jpeg(picture())), 'rear')
    front.close()
    rear.close()
    assert one.node.subscriptions == {}
    one.jobs.run()
    assert one.count('front') == one.count('rear') == (1, 0, {'stopped': 1})
    front.open()
    one.send(image(), 'front')
    one.jobs.run()
    assert one.count('front') == (2, 1, {'stopped': 1})


def test_a_frame_that_is_being_decoded_when_the_node_stops(rig, monkeypatch):
    one = rig(CameraSettings('rear', transport='compressed'))
    camera = one.cameras['rear']
    decode = cameras_module.decode_bgr

    def stop_meanwhile(message):
        camera._is_open = False
        return decode(message)

    monkeypatch.setattr(cameras_module, 'decode_bgr', stop_meanwhile)
    one.send(compressed(jpeg(picture())), 'rear')
    assert one.jobs.run() == 0 and one.count('rear') == (1, 0, {'stopped': 1})


def test_closing_waits_for_what_is_being_decoded(rig, monkeypatch):
    one = rig(CameraSettings(transport='compressed'))
    camera = one.cameras['']
    begun, go_on = threading.Event(), threading.Event()
    decode = cameras_module.decode_bgr

    def slow(message):
        begun.set()
        assert go_on.wait(10)
        return decode(message)

    monkeypatch.setattr(cameras_module, 'decode_bgr', slow)
    one.node.subscriptions[camera.topic].callback(compressed(jpeg(picture())))
    assert begun.wait(10)
    closing = threading.Thread(target=camera.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    go_on.set()
    closing.join(10)
    assert one.count() == (1, 0, {'stopped': 1})


def test_destroying_leaves_nothing_behind(rig):
    one = rig(CameraSettings('front', transport='compressed'))
    one.close()
    assert one.node.publishers == {} and one.node.subscriptions == {}
    one.cameras.clear()


@pytest.mark.parametrize('encode, tolerance', [(jpeg, 12), (png, 0)])
def test_compressed_images_are_decoded(rig, encode, tolerance):
    one = rig(CameraSettings(transport='compressed'))
    seen = []
    segment = one.engine._segment
    one.engine._segment = lambda frame, more: seen.append(frame) or segment(frame, more)
    smooth = cv2.resize(picture(1, 3, 4), (40, 24), interpolation=cv2.INTER_LINEAR)
    one.send(compressed(encode(smooth), 5))
    one.jobs.run()
    assert one.engine.calls == [([('bgr8', 24, 40)], False)]
    received = np.frombuffer(seen[0].data, np.uint8).reshape(24, 40, 3)[..., ::-1]
    assert np.abs(received.astype(int) - smooth).mean() <= tolerance
    (mask,) = one.publisher().messages
    assert mask.header == image(5).header and (mask.height, mask.width) == (24, 40)
    assert one.count() == (1, 1, {})
    assert one.cameras[''].statistics.summary().percentiles['decode'][0] > 0


def test_nothing_is_decoded_without_subscribers(rig, monkeypatch):
    one = rig(CameraSettings(transport='compressed'))
    monkeypatch.setattr(cameras_module, 'decode_bgr', lambda message: pytest.fail('decoded'))
    one.watch(subscribers=0)
    one.send(compressed(jpeg(picture())))
    one.live.rate, one.cameras['']._rate._due = 1.0, time.perf_counter() + 0.5
    one.watch()
    one.send(compressed(jpeg(picture())))
    assert one.count() == (2, 0, {'unwatched': 1, 'rate': 1})


def test_compressed_images_that_come_while_one_is_decoded(rig, monkeypatch):
    one = rig(CameraSettings(transport='compressed'))
    decode = cameras_module.decode_bgr
    more = [compressed(jpeg(picture()), number) for number in (2, 3, 4)]

    def receive_meanwhile(message):
        while more:
            one.node.subscriptions[one.cameras[''].topic].callback(more.pop(0))
        return decode(message)

    monkeypatch.setattr(cameras_module, 'decode_bgr', receive_meanwhile)
    one.send(compressed(jpeg(picture()), 1))
    one.cameras['']._decoder.drain()
    one.jobs.run()
    assert [mask.header.stamp.sec for mask in one.publisher().messages] == [4]
    # Two before they were decoded, and the first after it was.
    assert one.count() == (4, 1, {'superseded': 3})


@pytest.mark.parametrize('size', [(48, 64), (24, 32), (30, 40), (100, 33)])
def test_masks_of_the_networks_size_are_the_networks_own(rig, size):
    one = rig(CameraSettings(mask_size='network'))
    # Labels that a network of 24x32 would give, in the engine's resize to the frame's size.
    own = np.random.default_rng(3).integers(0, 3, (24, 32), np.uint8)
    rows = (2 * np.arange(size[0]) + 1) * 24 // (2 * size[0])
    columns = (2 * np.arange(size[1]) + 1) * 32 // (2 * size[1])
    message = image(1, *size)
    pixels = np.frombuffer(message.data, np.uint8).reshape(*size, 3)
    pixels[..., 0] = own[rows[:, None], columns]
    one.send(message)
    one.jobs.run()
    (mask,) = one.publisher().messages
    np.testing.assert_array_equal(to_label(mask), own)


@pytest.mark.parametrize('size', [(20, 30), (12, 64), (48, 31)])
def test_frames_smaller_than_the_network_are_resized_before_it(rig, size):
    one = rig(CameraSettings(mask_size='network'))
    one.send(image(1, *size))
    one.jobs.run()
    assert one.engine.calls == [([(24, 32, 3)], False)]
    (mask,) = one.publisher().messages
    expected = resize_frame(picture(1, *size), 24, 32)[..., 0] % 3
    np.testing.assert_array_equal(to_label(mask), expected)


def test_a_failing_engine_costs_its_batch(rig):
    one = rig(CameraSettings('front'), CameraSettings('rear'))
    for fault in (MemoryError('no room'), EngineError('lost')):
        one.engine.faults = [fault]
        one.send(image(), 'front')
        one.send(image(), 'rear')
        one.jobs.run()
    one.send(image(), 'front')
    one.jobs.run()
    assert one.count('front') == (3, 1, {'engine': 2})
    assert one.count('rear') == (2, 0, {'engine': 2})
    assert 'Dropped a frame of /robot/front/image: MemoryError: no room' in one.node.lines


def test_a_frame_that_the_engine_refuses_is_bad_and_alone(rig):
    one = rig(CameraSettings('front'), CameraSettings('rear'))
    one.engine.bad = {'bgr8'}
    one.send(image(1, encoding='bgr8'), 'front')
    one.send(image(2), 'rear')
    one.jobs.run()
    assert one.count('front') == (1, 0, {'bad': 1}) and one.count('rear') == (1, 1, {})


def test_a_publisher_that_fails_costs_a_frame(rig, monkeypatch):
    one = rig()

    def fail(message):
        raise RuntimeError('no middleware')

    publisher = one.publisher()
    with monkeypatch.context() as patch:
        patch.setattr(publisher, 'publish', fail)
        one.send(image())
        one.jobs.run()
    assert one.count() == (1, 0, {'engine': 1})
    one.send(image())
    one.jobs.run()
    assert one.count() == (2, 1, {'engine': 1})


def changed(**fields):
    message = image(1)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def forged_png(height, width):
    content = bytearray(png(picture()))
    content[16:24] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    return compressed(content, kind='png')


def forged_jpeg(height, width):
    content = bytearray(jpeg(picture()))
    at = content.index(b'\xff\xc0') + 5
    content[at : at + 4] = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    return compressed(content)


BAD = {
    'unknown encoding': (lambda: changed(encoding='yuv9000'), "'yuv9000' cannot be used"),
    'no encoding': (lambda: changed(encoding=''), "'' cannot be used"),
    'zero size': (lambda: changed(height=0, width=0, step=0, data=array.array('B')), 'is empty'),
    'zero height': (lambda: changed(height=0), 'is empty'),
    'zero width': (lambda: changed(width=0), 'is empty'),
    'no data': (lambda: changed(data=array.array('B')), 'this has 0'),
    'truncated': (lambda: changed(data=array.array('B', bytes(1799))), 'this has 1799'),
    'over-long': (lambda: changed(data=array.array('B', bytes(1801))), 'this has 1801'),
    'step': (lambda: changed(step=89), 'step 89'),
    'larger than its data': (lambda: changed(height=2**32 - 1, width=2**32 - 1), 'too large'),
    '100 megapixels': (lambda: changed(height=10_001, width=10_000, step=30_000), 'too large'),
    'jpeg: empty': (lambda: compressed(b''), 'is empty'),
    'jpeg: truncated': (lambda: compressed(jpeg(picture())[:-20]), 'truncated'),
    'jpeg: no image': (lambda: compressed(b'no image at all'), 'neither JPEG nor PNG'),
    'jpeg: only ends': (lambda: compressed(b'\xff\xd8\xff\xd9'), 'damaged'),
    'jpeg: other kind': (
        lambda: compressed(cv2.imencode('.webp', picture())[1], kind='webp'),
        'neither JPEG nor PNG',
    ),
    'jpeg: huge header': (lambda: forged_jpeg(65_500, 65_500), '65500x65500 is too large'),
    'jpeg: no size': (lambda: forged_jpeg(0, 30), 'is empty'),
    'png: huge header': (lambda: forged_png(2**31 - 1, 2**31 - 1), 'too large'),
    'png: wrong size': (lambda: forged_png(21, 30), 'damaged'),
    'png: truncated': (lambda: compressed(png(picture())[:-30], kind='png'), 'damaged'),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_frames_are_counted_and_cost_nobody_else(rig, name):
    make, words = BAD[name]
    transport = 'compressed' if name.startswith(('jpeg', 'png')) else 'raw'
    one = rig(CameraSettings('front', transport=transport), CameraSettings('rear'))
    one.send(make(), 'front')
    one.send(image(2), 'rear')
    one.jobs.run()
    assert one.count('front') == (1, 0, {'bad': 1})
    assert one.count('rear') == (1, 1, {})
    assert one.engine.calls == [([('rgb8', 20, 30)], False)]
    (line,) = [line for line in one.node.lines if 'Dropped a frame' in line]
    assert words in line and one.cameras['front'].topic in line
    good = compressed(jpeg(picture())) if transport == 'compressed' else image(3)
    one.send(good, 'front')
    one.jobs.run()
    assert one.count('front') == (2, 1, {'bad': 1})


def test_huge_pictures_are_refused_before_they_are_decoded(rig, monkeypatch):
    one = rig(CameraSettings(transport='compressed'))
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    one.send(forged_jpeg(10_001, 10_000))
    one.send(forged_png(10_001, 10_000))
    assert one.count() == (2, 0, {'bad': 2})


def test_sizes_and_encodings_that_change_in_mid_stream(rig):
    one = rig()
    forms = [(20, 30, 'rgb8'), (7, 5, 'bgr8'), (20, 30, 'rgb8'), (1, 1, 'rgb8'), (64, 48, 'bgr8')]
    for number, (height, width, encoding) in enumerate(forms):
        one.send(image(number, height, width, encoding))
        one.jobs.run()
        mask = one.publisher().messages[-1]
        assert (mask.height, mask.width, mask.step) == (height, width, width)
        red = picture(number, height, width)[..., 0 if encoding == 'rgb8' else 2]
        np.testing.assert_array_equal(to_label(mask), red % 3)
    assert one.count() == (5, 5, {})


def test_stamps_that_jump_back_or_stand_still(rig):
    one = rig()
    times = one.watch(output='timing')
    numbers = [5, 6, 2, 2, 0, 2**31 - 1]
    for number in numbers:
        one.send(image(number))
        one.jobs.run()
    assert [mask.header.stamp.sec for mask in one.publisher().messages] == numbers
    assert len(times) == one.count()[1] == len(numbers)


def test_two_publishers_on_one_topic(rig):
    one = rig()
    for number in range(3):
        for message in (image(number), image(100 + number, 10, 40)):
            one.send(message)
            one.jobs.run()
    found = [(mask.header.frame_id, mask.width) for mask in one.publisher().messages]
    assert found == [(f'optical_{n}', w) for k in range(3) for n, w in ((k, 30), (100 + k, 40))]
