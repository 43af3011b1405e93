# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The evaluator against a node and a player that this test plays itself."""

import json
import signal
import sys

import numpy as np
import pytest

from mbu_ros.data.files import read_label
from mbu_ros.evaluation.live.endings import note_end
from mbu_ros.imaging.messages import fill_image

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import UInt32  # noqa: E402

EVALUATOR = 'mbu_ros.evaluation.live.evaluator_node'
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def message(stamp, pixels, encoding):
    image = Image()
    image.header.stamp.sec, image.header.stamp.nanosec = divmod(stamp, 10**9)
    fill_image(image, pixels, encoding)
    return image


def timing(stamp, **stages):
    array = DiagnosticArray()
    array.header.stamp.sec, array.header.stamp.nanosec = divmod(stamp, 10**9)
    values = [KeyValue(key=f'{stage} (ms)', value=str(value)) for stage, value in stages.items()]
    array.status = [DiagnosticStatus(name='segment: timing', values=values)]
    return array


class Stage:
    """What surrounds the evaluator: a node that listens and publishes masks, and a camera."""

    def __init__(self, peer, wait_until):
        node = peer.node
        self.wait_until = wait_until
        self.heard = peer.collect(Image, '/camera/image_raw')  # the node's subscription
        self.images = node.create_publisher(Image, '/camera/image_raw', 10)
        self.masks = node.create_publisher(Image, 'segmentation/mask', 10)
        self.times = node.create_publisher(DiagnosticArray, 'segmentation/timing', 10)
        self.diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.finished = node.create_publisher(UInt32, 'player/finished', LATCHED)

    def wait_for_evaluator(self):
        """Until it has subscribed to all there is."""
        for publisher in (self.masks, self.times, self.diagnostics):
            self.wait_until(publisher.get_subscription_count, publisher.topic_name)
        self.wait_until(lambda: self.images.get_subscription_count() == 2, 'both subscriptions')

    def say(self, received, segmented, superseded=0):
        """Publish diagnostics of the node."""
        values = {
            'Frames received': received,
            'Frames segmented': segmented,
            'Frames dropped (superseded)': superseded,
        }
        engine = {'Engine': 'reference', 'Device': 'CPU', 'Model': 'random'}
        self.diagnostics.publish(
            DiagnosticArray(
                status=[
                    DiagnosticStatus(
                        name=f'segment: {name}',
                        values=[KeyValue(key=key, value=str(v)) for key, v in content.items()],
                    )
                    for name, content in (('frames', values), ('engine', engine))
                ]
            )
        )


@pytest.fixture
def stage(peer, wait_until):
    return Stage(peer, wait_until)


@pytest.fixture
def bag(tmp_path, make_samples, write_bag):
    return write_bag(tmp_path / 'bag', make_samples(5))


def test_masks_are_judged_by_the_labels_of_their_stamps_and_drops_counted(
    stage, start_node, bag, model_file, tmp_path, make_samples, stamps, wait_until
):
    evaluator = start_node(
        EVALUATOR,
        {
            'bag': bag,
            'model': model_file,
            'report': tmp_path / 'report',
            'json': tmp_path / 'copy.json',
            'save_masks': tmp_path / 'masks',
            'idle_timeout': 1.0,
            'max_drop': 0.1,
        },
    )
    stage.wait_for_evaluator()
    samples, times = make_samples(5), stamps(5)
    # Frame 2 gets no mask; 0 is right everywhere, 1 nowhere; the mask of 3 comes before its image.
    right = {index: np.where(s.label == 255, 0, s.label) for index, s in enumerate(samples)}
    wrong = ((right[1] + 1) % 5).astype(np.uint8)
    stage.masks.publish(message(times[3], right[3], 'mono8'))
    for index, sample in enumerate(samples):
        stage.images.publish(message(times[index], sample.image, 'rgb8'))
    for index, mask in ((0, right[0]), (1, wrong), (4, right[4])):
        stage.masks.publish(message(times[index], mask, 'mono8'))
        stage.times.publish(timing(times[index], network=4.5, total=6.0))
    wait_until(lambda: len(list(tmp_path.glob('masks/*/*.png'))) == 4, 'four masks')
    stage.finished.publish(UInt32(data=5))
    stage.say(5, 4, superseded=1)
    # 3: one frame of five was dropped, and no more than a tenth may be.
    assert evaluator.wait() == 3, evaluator.output
    report = json.loads((tmp_path / 'report' / 'report.json').read_text())
    assert report == json.loads((tmp_path / 'copy.json').read_text())
    assert report['mode'] == 'live'
    assert (report['frames_in'], report['frames_out'], report['frames_dropped']) == (5, 4, 1)
    assert report['dropped'] == {'superseded': 1}
    assert report['labelled_frames'] == 4
    assert report['pixel_accuracy'] == pytest.approx(3 / 4)
    assert report['latency_ms']['count'] == 3 and report['latency_ms']['p50'] > 0
    assert report['stages_ms']['network']['p50'] == 4.5
    assert [limit['passed'] for limit in report['thresholds']] == [False]
    assert (tmp_path / 'report' / 'report.html').stat().st_size > 0
    saved = sorted(tmp_path.glob('masks/*/*.png'))
    assert [p.stem.replace('.', '') for p in saved] == [str(times[i]) for i in (0, 1, 3, 4)]
    assert np.array_equal(read_label(saved[1], 5), wrong)


def test_no_mask_is_one_error_that_says_what_to_check(stage, start_node, bag, model_file):
    evaluator = start_node(EVALUATOR, {'bag': bag, 'model': model_file, 'idle_timeout': 0.5})
    stage.wait_for_evaluator()
    stage.finished.publish(UInt32(data=7))
    assert evaluator.wait() == 1
    assert 'no mask came on /segmentation/mask for 7 images' in evaluator.output
    assert 'remapped to /camera/image_raw' in evaluator.output


def test_without_a_node_it_gives_up_and_says_what_is_missing(ros, start_node, bag, model_file):
    evaluator = start_node(EVALUATOR, {'bag': bag, 'model': model_file, 'start_timeout': 1.0})
    assert evaluator.wait() == 1
    assert 'nobody publishes /segmentation/mask' in evaluator.output
    assert 'Traceback' not in evaluator.output


def test_it_ends_with_another_player_that_never_says_so(
    stage, peer, start_node, bag, model_file, tmp_path, make_samples, stamps
):
    peer.node.destroy_publisher(stage.finished)
    evaluator = start_node(
        EVALUATOR,
        {'bag': bag, 'model': model_file, 'json': tmp_path / 'r.json', 'idle_timeout': 0.5},
    )
    stage.wait_for_evaluator()
    for stamp, sample in zip(stamps(3), make_samples(3)):
        stage.images.publish(message(stamp, sample.image, 'rgb8'))
        stage.masks.publish(message(stamp, np.zeros((60, 80), np.uint8), 'mono8'))
    assert evaluator.wait() == 0, evaluator.output
    report = json.loads((tmp_path / 'r.json').read_text())
    assert (report['frames_out'], report['labelled_frames']) == (3, 3)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_when_it_is_stopped_it_reports_what_came_and_fails(
    stage, start_node, wait_until, bag, model_file, tmp_path, stamps, number
):
    parameters = {'bag': bag, 'model': model_file, 'save_masks': tmp_path / 'masks'}
    evaluator = start_node(EVALUATOR, parameters)
    stage.wait_for_evaluator()
    stage.masks.publish(message(stamps(1)[0], np.zeros((60, 80), np.uint8), 'mono8'))
    wait_until(lambda: list(tmp_path.glob('masks/*/*.png')), 'a saved mask')
    assert evaluator.stop(number) == 1
    assert 'out 1' in evaluator.output
    assert 'interrupted' in evaluator.output


@pytest.mark.parametrize('name, code', [('node', -9), ('player', 1)])
def test_the_end_of_node_or_player_ends_it_with_the_reason(
    stage, start_node, wait_until, bag, model_file, tmp_path, stamps, make_samples, name, code
):
    evaluator = start_node(
        EVALUATOR,
        {
            'bag': bag,
            'model': model_file,
            'ends': tmp_path / 'ends',
            'save_masks': tmp_path / 'masks',
            'json': tmp_path / 'r.json',
            'idle_timeout': 1.0,
        },
    )
    stage.wait_for_evaluator()
    stage.images.publish(message(stamps(1)[0], make_samples(1)[0].image, 'rgb8'))
    stage.masks.publish(message(stamps(1)[0], np.zeros((60, 80), np.uint8), 'mono8'))
    wait_until(lambda: list(tmp_path.glob('masks/*/*.png')), 'a saved mask')
    note_end(tmp_path / 'ends', name, code)
    assert evaluator.wait() == 1
    reason = f'the {name} ' + ('was ended by signal 9' if code < 0 else 'ended with exit code 1')
    assert reason in evaluator.output
    report = json.loads((tmp_path / 'r.json').read_text())
    assert report['frames_out'] == 1
    assert any(reason in note for note in report['notes'])


def test_a_paused_player_is_resumed_when_there_is_time_and_everybody_listens(
    stage, peer, start_node, wait_until, bag, model_file, tmp_path, monkeypatch
):
    # rosbag2's service has no fields; any other without does as well here.
    package = tmp_path / 'path' / 'rosbag2_interfaces'
    package.mkdir(parents=True)
    (package / '__init__.py').touch()
    (package / 'srv.py').write_text('from lifecycle_msgs.srv import GetState as Resume\n')
    monkeypatch.setenv('PYTHONPATH', ':'.join([str(package.parent), *filter(None, sys.path)]))
    resumed = []

    def resume(request, response):
        resumed.append(stage.images.get_subscription_count())
        return response

    peer.node.create_service(GetState, '/rosbag2_player/resume', resume)
    evaluator = start_node(
        EVALUATOR,
        {
            'bag': bag,
            'model': model_file,
            'resume': '/rosbag2_player/resume',
            'use_sim_time': True,
        },
    )
    wait_until(stage.masks.get_subscription_count, 'a subscription to masks')
    wait_until(lambda: peer.node.count_subscribers('/clock'), 'a subscription to time')
    assert stage.images.get_subscription_count() == 1  # the node's; there is no time yet
    clock = peer.node.create_publisher(Clock, '/clock', 1)
    time = Clock()
    time.clock.sec = 5
    peer.node.create_timer(0.05, lambda: clock.publish(time))
    wait_until(lambda: resumed, 'the call')
    assert resumed == [2]
    assert evaluator.stop() == 1  # no mask came


def test_what_cannot_be_done_is_one_error_at_the_start(start_node, bag):
    evaluator = start_node(EVALUATOR, {'bag': bag, 'min_miou': 2.0})
    assert evaluator.wait() == 1
    assert '--min-miou is 2' in evaluator.output
    assert 'Traceback' not in evaluator.output
