# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The evaluator against a node and a player that this test plays itself."""

import json
import signal

import numpy as np
import pytest

from mbu_ros.data.files import read_label
from mbu_ros.imaging.messages import fill_image

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import UInt32  # noqa: E402

EVALUATOR = 'mbu_ros.evaluation.live.evaluator_node'
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def message(stamp, pixels, encoding):
    image = Image()
    image.header.stamp.sec, image.header.stamp.nanosec = divmod(stamp, 10**9)
    fill_image(image, pixels, encoding)
    return image


def test_masks_are_matched_by_stamp_and_drops_counted(
    peer, start_node, wait_until, model_file, tmp_path, make_samples, stamps
):
    masks = peer.node.create_publisher(Image, 'segmentation/mask', 10)
    finished = peer.node.create_publisher(UInt32, 'player/finished', LATCHED)
    evaluator = start_node(
        EVALUATOR,
        {
            'model': model_file,
            'report': tmp_path / 'report',
            'json': tmp_path / 'copy.json',
            'save_masks': tmp_path / 'masks',
            'idle_timeout': 0.5,
        },
    )
    labels = peer.publisher(Image, '/camera/label')
    images = peer.publisher(Image, '/camera/image_raw')
    wait_until(masks.get_subscription_count, 'a subscription to masks')
    samples, times = make_samples(5), stamps(5)
    # Frame 2 gets no mask; 0 is right everywhere, 1 nowhere; 3 is right and comes before its
    # label; 4 has no label.
    for index in (0, 1, 2, 4):
        images.publish(message(times[index], samples[index].image, 'rgb8'))
        if index < 3:
            labels.publish(message(times[index], samples[index].label, 'mono8'))
    right = {index: np.where(s.label == 255, 0, s.label) for index, s in enumerate(samples)}
    wrong = ((right[1] + 1) % 5).astype(np.uint8)
    masks.publish(message(times[0], right[0], 'mono8'))
    masks.publish(message(times[1], wrong, 'mono8'))
    masks.publish(message(times[3], right[3], 'mono8'))
    masks.publish(message(times[4], right[4], 'mono8'))
    images.publish(message(times[3], samples[3].image, 'rgb8'))
    labels.publish(message(times[3], samples[3].label, 'mono8'))
    finished.publish(UInt32(data=5))
    assert evaluator.wait() == 0, evaluator.output
    report = json.loads((tmp_path / 'report' / 'report.json').read_text())
    assert report == json.loads((tmp_path / 'copy.json').read_text())
    assert report['mode'] == 'live'
    assert (report['frames_in'], report['frames_out'], report['frames_dropped']) == (5, 4, 1)
    assert report['labelled_frames'] == 3
    assert report['pixel_accuracy'] == pytest.approx(2 / 3)
    assert report['latency_ms']['p50'] > 0
    assert (tmp_path / 'report' / 'overlays.png').stat().st_size > 0
    saved = sorted((tmp_path / 'masks').iterdir())
    assert [p.stem.replace('.', '') for p in saved] == [str(times[i]) for i in (0, 1, 3, 4)]
    assert np.array_equal(read_label(saved[1], 5), wrong)


def test_labels_that_cannot_be_used_do_not_end_it(
    peer, start_node, wait_until, model_file, tmp_path, stamps
):
    masks = peer.node.create_publisher(Image, 'segmentation/mask', 10)
    finished = peer.node.create_publisher(UInt32, 'player/finished', LATCHED)
    evaluator = start_node(
        EVALUATOR,
        {'model': model_file, 'json': tmp_path / 'report.json', 'idle_timeout': 0.5},
    )
    labels = peer.publisher(Image, '/camera/label')
    wait_until(masks.get_subscription_count, 'a subscription to masks')
    times = stamps(4)
    mask = np.ones((60, 80), np.uint8)
    labels.publish(message(times[0], np.ones((30, 40), np.uint8), 'mono8'))  # another size
    labels.publish(message(times[1], np.full((60, 80), 77, np.uint8), 'mono8'))  # no class
    labels.publish(message(times[2], np.ones((60, 80, 3), np.uint8), 'rgb8'))  # no label
    labels.publish(message(times[3], mask, 'mono8'))
    for time in times:
        masks.publish(message(time, mask, 'mono8'))
    finished.publish(UInt32(data=4))
    assert evaluator.wait() == 0, evaluator.output
    report = json.loads((tmp_path / 'report.json').read_text())
    assert (report['frames_out'], report['labelled_frames']) == (4, 1)
    assert report['pixel_accuracy'] == 1.0
    for text in ('30', 'label value 77', 'rgb8', '2 labels could not be used'):
        assert text in evaluator.output


def test_no_mask_is_one_error_that_says_what_to_check(peer, start_node, model_file, wait_until):
    peer.node.create_publisher(Image, 'segmentation/mask', 10)
    finished = peer.node.create_publisher(UInt32, 'player/finished', LATCHED)
    evaluator = start_node(EVALUATOR, {'model': model_file, 'idle_timeout': 0.5})
    peer.publisher(Image, '/camera/label')
    finished.publish(UInt32(data=7))
    assert evaluator.wait() == 1
    assert 'no mask came on /segmentation/mask for 7 images' in evaluator.output
    assert 'remapped to /camera/image_raw' in evaluator.output


def test_it_ends_with_another_player_that_never_says_so(
    peer, start_node, wait_until, model_file, tmp_path, make_samples, stamps
):
    masks = peer.node.create_publisher(Image, 'segmentation/mask', 10)
    evaluator = start_node(
        EVALUATOR,
        {
            'model': model_file,
            'label_topic': '""',
            'json': tmp_path / 'report.json',
            'idle_timeout': 0.5,
        },
    )
    images = peer.publisher(Image, '/camera/image_raw')
    wait_until(masks.get_subscription_count, 'a subscription to the masks')
    for stamp, sample in zip(stamps(3), make_samples(3)):
        images.publish(message(stamp, sample.image, 'rgb8'))
        masks.publish(message(stamp, np.zeros((60, 80), np.uint8), 'mono8'))
    assert evaluator.wait() == 0, evaluator.output
    report = json.loads((tmp_path / 'report.json').read_text())
    assert (report['frames_in'], report['frames_out'], report['labelled_frames']) == (3, 3, 0)
    assert report['miou'] is None


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_when_it_is_stopped_it_reports_what_came(
    peer, start_node, wait_until, model_file, tmp_path, stamps, number
):
    masks = peer.node.create_publisher(Image, 'segmentation/mask', 10)
    evaluator = start_node(EVALUATOR, {'model': model_file, 'save_masks': tmp_path / 'masks'})
    wait_until(masks.get_subscription_count, 'a subscription to masks')
    masks.publish(message(stamps(1)[0], np.zeros((60, 80), np.uint8), 'mono8'))
    wait_until(lambda: list(tmp_path.glob('masks/*.png')), 'a saved mask')
    assert evaluator.stop(number) == 0, evaluator.output
    assert 'out 1' in evaluator.output


def test_an_unusable_model_is_one_error(start_node):
    evaluator = start_node(EVALUATOR, {'model': 'no_such_model'})
    assert evaluator.wait() == 1
    assert "no model 'no_such_model'" in evaluator.output
    assert 'Traceback' not in evaluator.output
