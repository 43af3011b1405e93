# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump: the node's, by simulated time, and that of the cameras.

Promised: no frame is lost to it, results keep the stamps of their images, /diagnostics comes once
a second all the same, and the log is not silenced.
"""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import ClockType
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from mbu_ros.imaging.messages import fill_image
from mbu_ros.node.ros_logging import SELDOM

MODULE = 'mbu_ros.node.segment_node'
YEAR = 365 * 24 * 3600


def test_simulated_time_jumps_both_ways(start_node, peer, wait_until, model_file):
    parameters = {'model': model_file, 'engine': 'reference', 'use_sim_time': True}
    process = start_node(MODULE, parameters)
    process.wait_for('Active')
    clock = peer.publisher(Clock, '/clock')
    masks = peer.collect(Image, '/segmentation/mask')
    timings = peer.collect(DiagnosticArray, '/segmentation/timing')
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    images = peer.publisher(Image, '/image')
    message = Image()
    fill_image(message, np.zeros((24, 32, 3), np.uint8), 'rgb8')
    # An hour back, a year ahead, to the very beginning, to the last second that a stamp can hold.
    for now in (2 * YEAR, 2 * YEAR - 3600, 3 * YEAR, 0, 2**31 - 1):
        message.header.stamp = Time(sec=now, nanosec=999_999_999)

        def answered(now=now):
            clock.publish(Clock(clock=Time(sec=now, nanosec=1)))
            images.publish(message)
            return any(mask.header.stamp.sec == now for mask in list(masks))

        wait_until(answered, f'a mask at {now} s')
        wait_until(
            lambda now=now: any(one.header.stamp.sec == now for one in list(timings)), 'its times'
        )
        wait_until(
            lambda now=now: any(one.header.stamp.sec == now for one in list(arrays)),
            f'diagnostics at {now} s',
        )
    assert process.stop() == 0
    assert 'Traceback' not in process.output


def test_what_is_logged_seldom_goes_by_a_clock_that_does_not_jump():
    assert SELDOM['throttle_time_source_type'].clock_type == ClockType.STEADY_TIME


def test_dropped_frames_are_logged_seldom_by_that_clock(rig, monkeypatch):
    from ..camera_fakes import image

    camera, lines = rig(), []
    monkeypatch.setattr(
        camera.node, 'warning', lambda text, **seldom: lines.append((text, seldom)), raising=False
    )
    bad = image()
    bad.encoding = 'yuv9000'
    camera.send(bad)
    camera.jobs.run()
    ((text, seldom),) = lines
    assert 'yuv9000' in text and seldom == SELDOM
