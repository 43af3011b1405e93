# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The player: what it publishes, when, and how it ends."""

import signal
import time

import numpy as np
import pytest

from mbu_ros.bags.format import stamp_nanoseconds
from mbu_ros.imaging.messages import fill_image, to_label, to_rgb

from ...evaluation.live.bags import write_two_cameras

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.subscription import Subscription  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import UInt32  # noqa: E402

PLAYER = 'mbu_ros.evaluation.live.player_node'
COUNT = 6
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope='module')
def samples(make_samples):
    return make_samples(COUNT)


@pytest.fixture(scope='module')
def bag(tmp_path_factory, samples, write_bag):
    return write_bag(tmp_path_factory.mktemp('player') / 'bag', samples)


@pytest.mark.parametrize('mode, seconds', [('recorded', 0.25), ('fixed', 0.5), ('acknowledged', 0)])
def test_everything_in_the_bag_comes_in_order(
    peer, start_node, wait_until, bag, samples, stamps, mode, seconds
):
    labels = peer.collect(Image, '/camera/label')
    infos = peer.collect(CameraInfo, '/camera/camera_info')
    finished = peer.collect(UInt32, 'player/finished', LATCHED)
    images = peer.collect(Image, '/camera/image_raw')
    masks = peer.node.create_publisher(Image, 'segmentation/mask', 10)
    arrivals = []

    def answer(image):
        arrivals.append(time.monotonic())
        masks.publish(Image(header=image.header))

    peer.node.create_subscription(Image, '/camera/image_raw', answer, 10)
    player = start_node(
        PLAYER, {'bag': bag, 'mode': mode, 'rate_hz': 10.0, 'wait_subscribers': 2}
    )
    assert player.wait() == 0, player.output
    wait_until(lambda: finished, 'player/finished')
    assert finished[0].data == COUNT
    for messages in (images, labels, infos):
        wait_until(lambda messages=messages: len(messages) == COUNT, 'all messages')
        assert [stamp_nanoseconds(message) for message in messages] == stamps(COUNT)
        assert {message.header.frame_id for message in messages} == {'camera'}
    for sample, image, label in zip(samples, images, labels):
        assert np.array_equal(to_rgb(image), sample.image)
        assert np.array_equal(to_label(label), sample.label)
    assert 'without a mask' not in player.output
    # A player that is too fast is wrong; on a busy machine it may be slow, and what comes first
    # and last may be handed to us a little late.
    assert arrivals[-1] - arrivals[0] > seconds - 0.1


def test_acknowledged_waits_for_the_mask_of_this_image(peer, start_node, wait_until, bag):
    images = peer.collect(Image, '/camera/image_raw')
    masks = peer.node.create_publisher(Image, 'segmentation/mask', 10)
    player = start_node(PLAYER, {'bag': bag, 'mode': 'acknowledged'})
    for count in range(1, COUNT + 1):
        wait_until(lambda count=count: len(images) == count, f'image {count}')
        other = Image()  # a mask of another frame must not count
        other.header.stamp.sec = 5
        masks.publish(other)
        time.sleep(0.1)
        assert len(images) == count
        mask = Image(header=images[-1].header)
        fill_image(mask, np.zeros((60, 80), np.uint8), 'mono8')
        masks.publish(mask)
    player.wait_for(f'finished: {COUNT} images sent')


def test_ended_after_its_last_image_it_has_not_failed(peer, start_node, bag):
    peer.collect(Image, '/camera/image_raw')
    arguments = {'bag': bag, 'mode': 'fixed', 'rate_hz': 50.0}
    player = start_node(PLAYER, arguments)
    player.wait_for(f'finished: {COUNT} images sent')
    # It stays a while, to send again what got lost; a launch file does not wait for that.
    assert player.stop() == 0, player.output
    player = start_node(PLAYER, {**arguments, 'loop': True})
    player.wait_for('playing')
    assert player.stop() == 130, player.output


def test_it_ends_also_where_a_script_started_it_in_the_background(
    peer, start_node, wait_until, bag
):
    images = peer.collect(Image, '/camera/image_raw')
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which processes inherit
    try:
        player = start_node(PLAYER, {'bag': bag, 'mode': 'fixed', 'rate_hz': 50.0, 'loop': True})
    finally:
        signal.signal(signal.SIGINT, before)
    wait_until(lambda: len(images) > COUNT, 'images of a second round')
    assert player.stop() == 130, player.output


def test_masks_that_do_not_come_are_counted(
    peer, start_node, tmp_path, samples, write_bag, stamps
):
    bag = write_bag(tmp_path / 'bag', samples, image_format='jpeg')
    images = peer.collect(CompressedImage, '/camera/image_raw/compressed')
    peer.node.create_publisher(Image, 'segmentation/mask', 10)
    player = start_node(PLAYER, {'bag': bag, 'mode': 'acknowledged', 'ack_timeout': 0.05})
    player.wait_for(f'{COUNT} of them without a mask in time')
    assert [stamp_nanoseconds(image) for image in images] == stamps(COUNT)


def test_two_cameras_wait_for_their_own_masks(peer, start_node, wait_until, tmp_path):
    bag = write_two_cameras(tmp_path / 'bag', 2)
    images, masks = {}, {}
    for camera in ('front', 'rear'):
        masks[camera] = peer.node.create_publisher(Image, f'{camera}/segmentation/mask', 10)
        images[camera] = peer.collect(Image, f'/{camera}/image_raw')
    finished = peer.collect(UInt32, 'player/finished', LATCHED)
    player = start_node(
        PLAYER,
        {
            'bag': bag,
            'mode': 'acknowledged',
            'mask_topics': '["/front/segmentation/mask", "/rear/segmentation/mask"]',
        },
    )
    for count in (1, 2):
        for camera, other in (('front', 'rear'), ('rear', 'front')):
            seen = images[camera]
            wait_until(lambda seen=seen, count=count: len(seen) == count, f'image {count}')
            masks[other].publish(Image(header=images[camera][-1].header))  # the wrong camera's
            time.sleep(0.1)
            assert len(images['rear']) == (count if camera == 'rear' else count - 1)
            masks[camera].publish(Image(header=images[camera][-1].header))
    assert player.wait() == 0, player.output
    wait_until(lambda: finished, 'player/finished')
    assert finished[0].data == 4
    assert 'without a mask' not in player.output


def with_origin(take):
    """A callback that also gets when a message was sent; in Humble, that does not tell, it came."""
    if not hasattr(Subscription, 'CallbackType'):
        return lambda message: take(message, time.time_ns())
    return lambda message, info: take(message, info['source_timestamp'])


@pytest.mark.parametrize('parameters', [{'speed': 0.25}, {'mode': 'fixed', 'rate_hz': 5.0}])
def test_the_time_of_the_bag_is_there_before_the_first_image_and_never_behind(
    peer, start_node, wait_until, bag, stamps, parameters
):
    sent, arrivals = [], []

    def take_time(message, origin):
        sent.append((origin, 'time', message.clock.sec * 10**9 + message.clock.nanosec))

    def take_image(message, origin):
        sent.append((origin, 'image', stamp_nanoseconds(message)))
        arrivals.append(time.monotonic())

    qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
    peer.node.create_subscription(Clock, '/clock', with_origin(take_time), qos)
    player = start_node(PLAYER, {'bag': bag, **parameters})
    wait_until(lambda: len(sent) >= 10, 'the time')
    peer.node.create_subscription(Image, '/camera/image_raw', with_origin(take_image), 10)
    assert player.wait() == 0, player.output
    # A busy machine hands them to us in another order.
    events = [event for _, *event in sorted(sent, key=lambda event: event[0])]
    times = [value for kind, value in events if kind == 'time']
    assert events[:10] == [['time', stamps(1)[0]]] * 10
    assert times == sorted(times)
    assert times[-1] == stamps(COUNT)[-1]
    assert [value for kind, value in events if kind == 'image'] == stamps(COUNT)
    # A quarter of the bag's speed, or of its rate.
    assert arrivals[-1] - arrivals[0] > 0.9
    # Where the order is that of callbacks, it may be off by one.
    for place in (place for place, (kind, _) in enumerate(events) if kind == 'image'):
        known = [value for kind, value in events[: place + 2] if kind == 'time']
        assert known[-1] >= events[place][1]


@pytest.mark.parametrize(
    'parameters, text',
    [
        ({'bag': '/no/such/bag'}, 'no such bag'),
        ({'mode': 'backwards'}, "no mode 'backwards'"),
        ({'image_topics': '["/left"]'}, 'no topic /left'),
        ({'topics': '["/left"]'}, 'no topic /left'),
        ({'mode': 'acknowledged', 'mask_topics': '["a", "b"]'}, '2 topics for 1 cameras'),
        ({'wait_timeout': 0.2}, '0 of 1 subscribers'),
    ],
)
def test_what_cannot_be_played_is_one_error(start_node, bag, parameters, text):
    player = start_node(PLAYER, {'bag': bag, **parameters})
    assert player.wait() == 1
    assert text in player.output
    assert 'Traceback' not in player.output


def test_a_damaged_bag_is_played_as_far_as_it_goes(
    peer, start_node, wait_until, tmp_path, samples, write_bag
):
    bag = write_bag(tmp_path / 'bag', samples, storage='sqlite3')
    file = bag / 'bag.db3'
    data = bytearray(file.read_bytes())
    middle = len(data) * 2 // 3 // 4096 * 4096
    data[middle : middle + 8192] = bytes(8192)
    file.write_bytes(data)
    finished = peer.collect(UInt32, 'player/finished', LATCHED)
    images = peer.collect(Image, '/camera/image_raw')
    player = start_node(PLAYER, {'bag': bag})
    assert player.wait() == 0, player.output
    assert 'damaged' in player.output
    assert 'Traceback' not in player.output
    wait_until(lambda: finished, 'player/finished')
    assert 0 < finished[0].data < COUNT
    wait_until(lambda: len(images) == finished[0].data, 'all images that were sent')
