# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's own path, from messages to results: cameras, scheduler, statistics, pictures.

The middleware and the engine are pretended; messages are ROS's own.
"""

import array
import re

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mbu_ros.engine.base import EngineError
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import ENCODINGS
from mbu_ros.node.parameter_table import OUTPUTS
from mbu_ros.node.parameters import CameraSettings

from ..ros.camera_fakes import MODEL, Rig
from .bounds import bounded
from .encoded_cases import MEMORY, files, kinds
from .image_cases import pictures
from .mutations import uint32

frame_ids = st.text(st.characters(exclude_categories=['Cs']), max_size=20)
faults = st.sampled_from(
    [None, None, None, *(kind('injected') for kind in (InputError, EngineError, MemoryError))]
)


# How an error that was not made for people is told: by the name of its type.
UNFORESEEN = re.compile(r': \w*(rror|xception|xit): (?!injected)')


WATCHED = tuple(output for output in OUTPUTS if output != 'label_info')


@st.composite
def headers(draw, message):
    message.header.stamp.sec = draw(st.sampled_from([0, 7, -1, 2**31 - 1, -(2**31)]))
    message.header.stamp.nanosec = draw(st.sampled_from([0, 5, 999_999_999, 2**32 - 1]))
    message.header.frame_id = draw(frame_ids)
    return message


@st.composite
def images(draw):
    picture = draw(pictures(encodings=(*ENCODINGS, 'rgb8', 'bgr8'), kinds=('array',), most=24))
    encoding = picture.encoding.encode('utf-8', 'replace').decode()
    message = Image(
        height=picture.height,
        width=picture.width,
        encoding=encoding,
        is_bigendian=picture.is_bigendian,
        step=picture.step,
        data=picture.data,
    )
    return draw(headers(message))


@st.composite
def compressed_images(draw):
    kind = draw(kinds).encode('utf-8', 'replace').decode()
    message = CompressedImage(format=kind)
    message.data = array.array('B', draw(files))
    return draw(headers(message))


sizes = st.sampled_from([24, 32, 20]) | uint32


@st.composite
def calibrations(draw):
    """A camera_info, of which some fit the frames; all its numbers may be anything."""
    info = CameraInfo(height=draw(sizes), width=draw(sizes))
    numbers = st.floats() | st.sampled_from([0.0, 1.0, 1e308])
    info.k = draw(st.lists(numbers, min_size=9, max_size=9))
    info.p = draw(st.lists(numbers, min_size=12, max_size=12))
    info.d = draw(st.lists(numbers, max_size=9))
    info.binning_x, info.binning_y = draw(uint32), draw(uint32)
    roi = info.roi
    roi.x_offset, roi.y_offset, roi.height, roi.width = (
        draw(st.just(0) | sizes) for _ in range(4)
    )
    return draw(headers(info))


@st.composite
def drives(draw, messages):
    """What happens to a camera: frames, engine faults, subscribers that come and go."""
    steps = []
    for _ in range(draw(st.integers(1, 4))):
        message = draw(messages)
        info = draw(st.none() | calibrations())
        if info is not None and draw(st.booleans()) and hasattr(message, 'height'):
            info.height, info.width = message.height, message.width
            info.binning_x = info.binning_y = info.roi.height = info.roi.width = 0
        wanted = draw(st.sets(st.sampled_from(WATCHED)))
        steps.append((message, info, wanted, draw(faults)))
    return steps


settings_of_cameras = st.builds(CameraSettings, mask_size=st.sampled_from(['camera', 'network']))
runs_of_jobs = st.lists(st.booleans(), min_size=4, max_size=4)
"""Whether the engine's thread has its turn after each frame."""


def play(rig, camera, steps, runs):
    """Every frame is counted once, and what is published fits its frame."""
    sent = 0
    for (message, info, wanted, fault), run in zip(steps, runs):
        for output in WATCHED:
            rig.watch(output=output, subscribers=int(output in wanted))
        if fault is not None:
            rig.engine.faults.append(fault)
        rig.send(message)
        sent += 1
        source = f'{camera.topic.removesuffix("/compressed").rpartition("/")[0]}/camera_info'
        if info is not None and source in rig.node.subscriptions:
            rig.node.subscriptions[source].callback(info)
        if run:
            rig.jobs.run()
    rig.jobs.run()
    camera.close()
    rig.jobs.run()
    received, segmented, dropped = rig.count()
    assert received == sent == segmented + sum(dropped.values()), (rig.count(), rig.node.lines)
    camera._outputs._pictures._thread.drain()
    _check_results(rig, [message for message, *_ in steps])
    return segmented


def _check_results(rig, sent):
    stamps = {_stamp(message) for message in sent}
    for output in ('mask', 'color', 'overlay', 'confidence', 'camera_info', 'timing'):
        for message in rig.publisher(output=output).messages:
            assert _stamp(message) in stamps
            if output in ('mask', 'color', 'overlay', 'confidence'):
                assert len(message.data) == message.height * message.step
    for message in rig.publisher(output='mask').messages:
        values = np.unique(np.frombuffer(message.data, np.uint8))
        assert set(values) <= {*range(len(MODEL.classes)), 255}
    for info in rig.publisher(output='camera_info').messages:
        part = info.roi
        sizes = (part.x_offset, part.y_offset, part.height, part.width, info.height, info.width)
        assert all(0 <= size < 2**32 for size in sizes)
    assert not [line for line in rig.node.lines if UNFORESEEN.search(line)]


def _stamp(message):
    return message.header.stamp.sec, message.header.stamp.nanosec, message.header.frame_id


@settings(max_examples=40)
@given(
    drives(images()),
    runs_of_jobs,
    settings_of_cameras,
    st.sampled_from([0.0, 0.5]),
    st.sampled_from(['mono8', '32FC1']),
)
def test_raw_images(steps, runs, camera, threshold, scores):
    with bounded(steps, camera):
        rig = Rig(camera, confidence_encoding=scores)
        try:
            rig.live.confidence_threshold = threshold
            play(rig, rig.cameras[''], steps, runs)
        finally:
            rig.close()


@settings(max_examples=40)
@given(drives(compressed_images()), runs_of_jobs, settings_of_cameras)
def test_compressed_images(steps, runs, camera):
    with bounded(steps, camera, memory=MEMORY):
        rig = Rig(CameraSettings(transport='compressed', mask_size=camera.mask_size))
        try:
            play(rig, rig.cameras[''], steps, runs)
        finally:
            rig.close()
