# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real node in its own process, talked to over DDS: what it publishes and what it survives."""

import array
import platform
import signal
import time

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.imaging.messages import fill_image, to_label, to_rgb
from mbu_ros.imaging.overlay import colorize, overlay
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model

MODULE = 'mbu_ros.node.segment_node'
TOPIC = '/camera/image_raw'
MASK = '/segmentation/mask'
OVERLAY = '/segmentation/overlay'


@pytest.fixture(scope='module')
def slow_model_file(tmp_path_factory):
    """A network that takes some tenths of a second a frame on a CPU."""
    path = tmp_path_factory.mktemp('model') / 'slow.safetensors'
    save_model(random_model(width=16, depth=2, input_size=(240, 320)), path)
    return path


@pytest.fixture(scope='module')
def very_slow_model_file(tmp_path_factory):
    """One that takes far longer than a busy machine holds this process up."""
    path = tmp_path_factory.mktemp('model') / 'very_slow.safetensors'
    save_model(random_model(width=32, depth=2, input_size=(480, 640)), path)
    return path


def frame(number, height=60, width=90, encoding='rgb8'):
    """Random pixels with stamp `number`.5 s."""
    message = Image()
    message.header.stamp.sec = number
    message.header.stamp.nanosec = 500_000_000
    message.header.frame_id = f'camera_{number}'
    random = np.random.default_rng(number)
    channels = () if encoding == 'mono8' else (3,)
    fill_image(message, random.integers(0, 256, (height, width, *channels), np.uint8), encoding)
    return message


@pytest.fixture
def start(start_node, model_file):
    """Start the node on TOPIC and wait until it listens."""

    def start_active(parameters=None, remappings=None):
        process = start_node(
            MODULE,
            {'model': model_file, 'engine': 'reference'} | (parameters or {}),
            {'image': TOPIC} | (remappings or {}),
        )
        process.wait_for('Active')
        return process

    return start_active


def reliable(depth=10):
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def exchange(publisher, message, results, wait_until):
    """Publish a frame until a result of it comes: the first may find nobody connected yet."""

    def answer():
        publisher.publish(message)
        time.sleep(0.05)
        return [r for r in list(results) if r.header == message.header]

    return wait_until(answer, f'a result for {message.header}')[0]


def latest(arrays, name):
    """The newest status called `name` of the DiagnosticArrays, or None."""
    found = [status for array in list(arrays) for status in array.status if status.name == name]
    return found[-1] if found else None


def values(status):
    return {item.key: item.value for item in status.values}


def counts(status):
    """Frames received, segmented, superseded, bad; and dropped for any other reason."""
    found = {key: int(value) for key, value in values(status).items() if key.startswith('Frames ')}
    dropped = {key: count for key, count in found.items() if key.startswith('Frames dropped (')}
    superseded = dropped.pop('Frames dropped (superseded)')
    bad = dropped.pop('Frames dropped (bad)')
    segmented = found['Frames segmented']
    return found['Frames received'], segmented, superseded, bad, sum(dropped.values())


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'mono8'])
def test_masks_are_the_engines_labels(start, peer, wait_until, model, encoding):
    process = start()
    masks = peer.collect(Image, MASK)
    publisher = peer.publisher(Image, TOPIC)
    engine = ReferenceEngine(model)
    for number, (height, width) in enumerate([(60, 90), (48, 64), (33, 17)], 1):
        message = frame(number, height, width, encoding)
        mask = exchange(publisher, message, masks, wait_until)
        assert (mask.height, mask.width, mask.step) == (height, width, width)
        assert (mask.encoding, mask.is_bigendian) == ('mono8', 0)
        expected = engine.segment([to_rgb(message)])[0].labels
        assert len(np.unique(expected)) > 1
        np.testing.assert_array_equal(to_label(mask), expected)
    assert process.stop() == 0


def test_overlay_and_its_live_alpha(start, peer, wait_until, model):
    process = start()
    overlays = peer.collect(Image, OVERLAY)
    publisher = peer.publisher(Image, TOPIC)
    engine = ReferenceEngine(model)
    message = frame(1)
    image = to_rgb(message)
    labels = engine.segment([image])[0].labels

    result = exchange(publisher, message, overlays, wait_until)
    assert result.encoding == 'rgb8' and (result.height, result.width) == (60, 90)
    np.testing.assert_array_equal(
        to_rgb(result), overlay(image, labels, model.classes.colors, 0.5)
    )

    def set_parameter(name, value):
        request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
        return peer.call(SetParameters, '/segment/set_parameters', request).results[0]

    def alpha(value):
        return ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)

    assert set_parameter('overlay_alpha', alpha(1.0)).successful
    message = frame(2)
    labels = engine.segment([to_rgb(message)])[0].labels
    result = exchange(publisher, message, overlays, wait_until)
    np.testing.assert_array_equal(to_rgb(result), colorize(labels, model.classes.colors))

    for bad in (1.5, -0.1, float('nan')):
        refused = set_parameter('overlay_alpha', alpha(bad))
        assert not refused.successful and 'out of range' in refused.reason
    name = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value='cuda')
    refused = set_parameter('engine', name)
    assert not refused.successful and 'only while the node is unconfigured' in refused.reason
    assert process.stop() == 0


def test_diagnostics(start, peer, wait_until, model, model_file):
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    process = start({'reliability': 'reliable'})
    first = wait_until(lambda: latest(arrays, 'segment: frames'), 'a diagnostic')
    assert first.level == DiagnosticStatus.WARN
    assert f'no frames received yet on {TOPIC}' in first.message
    assert counts(first) == (0, 0, 0, 0, 0)

    masks = peer.collect(Image, MASK)
    publisher = peer.publisher(Image, TOPIC, reliable())
    sent = 0
    while len(masks) < 12:
        sent += 1
        assert sent < 100
        publisher.publish(frame(sent))
        time.sleep(0.1)

    wait_until(
        lambda: counts(latest(arrays, 'segment: frames'))[0] == sent, f'a count of {sent}'
    )
    status = latest(arrays, 'segment: frames')
    assert status.level == DiagnosticStatus.OK
    received, segmented, superseded, bad, others = counts(status)
    assert (received, bad) == (sent, 0) and segmented + superseded + others == sent
    found = values(status)
    # One frame every 0.1 s at most.
    assert 0 < float(found['Input rate (Hz)']) < 11
    assert 0 < float(found['Output rate (Hz)']) < 11
    assert found['Frames lost (middleware)'] == '0'
    for stage in ('wait', 'resize', 'network', 'mask', 'publish', 'total'):
        p50, p95, p99 = (float(found[f'{stage} p{p} (ms)']) for p in (50, 95, 99))
        assert 0 <= p50 <= p95 <= p99
    assert float(found['total p50 (ms)']) > float(found['network p50 (ms)']) > 0

    engine = latest(arrays, 'segment: engine')
    assert engine.level == DiagnosticStatus.OK and engine.hardware_id == status.hardware_id
    found = values(engine)
    assert found['Engine'] == 'reference' and found['Device'] == engine.hardware_id
    assert found['Architecture'] == platform.machine() and found['Input size'] == '64x48'
    assert found['Lifecycle state'] == 'active' and found['Reason'] in engine.message
    assert float(found['Process memory (MB)']) > 10
    assert found['Model file'] == str(model_file)
    assert found['Classes'] == '4: class0, class1, class2, class3'
    stamps = [array.header.stamp.sec for array in arrays]
    assert abs(stamps[-1] - time.time()) < 5
    assert process.stop() == 0


def test_a_burst_leaves_the_newest_frame(start, peer, wait_until, slow_model_file):
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    process = start(
        {'model': slow_model_file, 'reliability': 'reliable', 'queue_depth': 100}
    )
    masks = peer.collect(Image, MASK, reliable(100))
    publisher = peer.publisher(Image, TOPIC, reliable(100))
    sent = 0
    while not masks:
        publisher.publish(frame(1))
        sent += 1
        time.sleep(0.1)

    def settled():
        status = latest(arrays, 'segment: frames')
        return status and sum(counts(status)[1:]) == sent and counts(status)

    before = wait_until(settled, f'{sent} frames counted')
    masks_before = len(masks)
    burst = [frame(number) for number in range(100, 150)]
    for message in burst:
        publisher.publish(message)
    sent += len(burst)
    received, segmented, superseded, bad, _ = wait_until(settled, f'{sent} frames counted')
    assert masks[-1].header == burst[-1].header
    assert received == sent and bad == 0
    assert segmented - before[1] == len(masks) - masks_before
    assert superseded - before[2] > len(burst) // 2
    stamps = [mask.header.stamp.sec for mask in masks]
    assert stamps == sorted(stamps)
    assert process.stop() == 0


def broken_frames():
    """Name of what is wrong, words of the log, and the frame."""
    unknown = frame(1)
    unknown.encoding = 'yuv9000'
    yield 'unknown encoding', unknown
    truncated = frame(2)
    truncated.data = truncated.data[:-1]
    yield 'truncated', truncated
    empty = frame(3)
    empty.data = array.array('B')
    yield 'no data', empty
    zero = frame(4)
    zero.height = zero.width = zero.step = 0
    zero.data = array.array('B')
    yield 'no size', zero
    step = frame(5)
    step.step -= 1
    yield 'step', step
    size = frame(6)
    size.height = size.width = 2**32 - 1
    yield 'larger than its data', size
    long = frame(7)
    long.data.extend(b'more')
    yield 'over-long', long


def test_bad_frames_are_counted_and_survived(start, peer, wait_until, model):
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    process = start({'reliability': 'reliable'})
    masks = peer.collect(Image, MASK)
    publisher = peer.publisher(Image, TOPIC, reliable())
    exchange(publisher, frame(100), masks, wait_until)
    engine = ReferenceEngine(model)
    number = 100
    for number, (_, bad) in enumerate(broken_frames(), 101):
        publisher.publish(bad)
        time.sleep(0.1)  # so that it is not superseded by the next
        good = frame(number)
        mask = exchange(publisher, good, masks, wait_until)
        np.testing.assert_array_equal(
            to_label(mask), engine.segment([to_rgb(good)])[0].labels
        )
    total = len(list(broken_frames()))
    wait_until(lambda: counts(latest(arrays, 'segment: frames'))[3] == total, f'{total} bad frames')
    reports = [
        status for array in arrays for status in array.status if status.name == 'segment: frames'
    ]
    assert any('bad frames' in s.message and s.level == DiagnosticStatus.WARN for s in reports)
    # Not for ever: the warning is about the time since the last report.
    wait_until(
        lambda: latest(arrays, 'segment: frames').level == DiagnosticStatus.OK, 'the warning to end'
    )
    assert {mask.header.stamp.sec for mask in masks} == set(range(100, number + 1))
    # All of it took less than the period of the log, so there is one line, of the first.
    lines = [line for line in process.output.splitlines() if 'Dropped a frame' in line]
    assert 1 <= len(lines) < total and 'yuv9000' in lines[0] and TOPIC in lines[0]
    assert process.stop() == 0


def test_log_tells_of_a_topic_without_publisher_and_of_qos(start, peer, wait_until):
    best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    peer.node.create_publisher(Image, '/elsewhere', best_effort)
    lost = start()
    deaf = start({'reliability': 'reliable'}, {'image': '/elsewhere', '__node': 'deaf'})
    deaf.wait_for('set the parameter reliability to best_effort')
    lost.wait_for(f'No publisher on {TOPIC} after 5 s')
    assert '/elsewhere' in lost.output and '-r image:=TOPIC' in lost.output
    assert 'No publisher' not in deaf.output


def test_topics_are_relative_to_the_namespace(start, peer, wait_until):
    process = start(remappings={'image': 'image', '__ns': '/robot'})
    masks = peer.collect(Image, '/robot/segmentation/mask')
    exchange(peer.publisher(Image, '/robot/image'), frame(1), masks, wait_until)
    assert process.stop() == 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals_in_the_middle_of_a_frame(start, peer, wait_until, very_slow_model_file, number):
    process = start({'model': very_slow_model_file})
    masks = peer.collect(Image, MASK)
    publisher = peer.publisher(Image, TOPIC)
    exchange(publisher, frame(1), masks, wait_until)
    publisher.publish(frame(2))
    time.sleep(0.05)  # the network is at work on it now
    assert not [mask for mask in masks if mask.header.stamp.sec == 2]
    assert process.stop(number) == 0
    assert 'Traceback' not in process.output and 'rror' not in process.output
