# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What stands around a camera in its tests: an engine, parameters, a place for jobs, images."""

import array
import copy
import types

import numpy as np
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image

from mbu_ros.engine.base import STAGES, RawFrame, Segmentation
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import fill_image, to_rgb
from mbu_ros.model.random import random_model
from mbu_ros.node.cameras import Camera
from mbu_ros.node.parameter_table import OUTPUTS
from mbu_ros.node.parameters import CameraSettings
from mbu_ros.node.scheduler import Scheduler
from mbu_ros.node.statistics import FrameStatistics

MODEL = random_model(width=8, depth=1, classes=3, input_size=(24, 32))


class Parameters:
    """Live parameters, to be set like attributes."""

    overlay_alpha = 0.5
    confidence_threshold = 0.0
    rate = 0.0
    topics = OUTPUTS

    def max_rate(self, camera):
        return self.rate

    def outputs(self, camera):
        return self.topics


class Engine:
    """Labels are the red channel modulo 3; scores are the green one.

    Attributes:
        calls: what it was given: formats of the frames, and whether scores were asked for.
        faults: what the next calls raise, one by one; None for none.
        bad: encodings that it takes for bad frames.
    """

    model = MODEL

    def __init__(self, max_batch=8):
        self.calls, self.faults, self.bad = [], [], set()
        self.max_batch = max_batch

    def segment(self, frames, *, confidence=False):
        self.calls.append(([shape(frame) for frame in frames], confidence))
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        for frame in frames:
            if isinstance(frame, RawFrame) and frame.encoding in self.bad:
                raise InputError(f'{frame.encoding} is bad')
        return [self._segment(frame, confidence) for frame in frames]

    def _segment(self, frame, confidence):
        image = to_rgb(frame) if isinstance(frame, RawFrame) else frame
        scores = image[..., 1].astype(np.float32) / 255 if confidence else None
        times = dict(zip(STAGES, (1.0, 2.0, 3.0)))
        return Segmentation(image[..., 0] % 3, scores, times)


def shape(frame):
    if isinstance(frame, RawFrame):
        return frame.encoding, frame.height, frame.width
    return frame.shape


class Jobs:
    """Where a scheduler's jobs go; `run` is what the engine's thread would do."""

    def __init__(self, scheduler, engine):
        self.engine, self.waiting = engine, []
        scheduler.attach(self.waiting.append)

    def run(self):
        """Run the jobs that wait, and those that they bring; how many."""
        count = 0
        while self.waiting:
            self.waiting.pop(0)(self.engine)
            count += 1
        return count


def picture(number=0, height=20, width=30):
    """Random pixels: uint8 [H, W, 3]."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def image(number=0, height=20, width=30, encoding='rgb8'):
    """Those as a sensor_msgs/Image with stamp `number`.5 s."""
    message = Image()
    message.header.stamp.sec = number
    message.header.stamp.nanosec = 500_000_000
    message.header.frame_id = f'optical_{number}'
    fill_image(message, picture(number, height, width), encoding)
    return message


def compressed(content, number=0, kind='jpeg'):
    """Bytes as a sensor_msgs/CompressedImage with stamp `number`.5 s."""
    message = CompressedImage(format=kind)
    message.header = image(number, 1, 1).header
    message.data = array.array('B', bytes(content))
    return message


class Publisher:
    """Keeps what is published; `subscribers` is what it says to have."""

    def __init__(self, kind, topic, qos):
        self.kind, self.topic_name, self.qos = kind, topic, qos
        self.subscribers, self.messages = 0, []

    def get_subscription_count(self):
        return self.subscribers

    def publish(self, message):
        # What was published is the subscribers'; the sender may write to its own again.
        self.messages.append(copy.deepcopy(message))


class Node:
    """As much of a node as a camera needs, without any middleware.

    Attributes:
        publishers, subscriptions: by full name of the topic.
        lines: what was logged.
        nanoseconds: what its clock shows.
    """

    def __init__(self):
        self.publishers, self.subscriptions, self.lines = {}, {}, []
        self.nanoseconds = 0

    def get_fully_qualified_name(self):
        return '/robot/segment'

    def resolve_topic_name(self, name):
        return name if name.startswith('/') else f'/robot/{name}'

    def create_publisher(self, kind, topic, qos):
        publisher = Publisher(kind, self.resolve_topic_name(topic), qos)
        self.publishers[publisher.topic_name] = publisher
        return publisher

    def destroy_publisher(self, publisher):
        del self.publishers[publisher.topic_name]

    def create_subscription(self, kind, topic, callback, qos, **_):
        topic = self.resolve_topic_name(topic)
        assert topic not in self.subscriptions
        self.subscriptions[topic] = types.SimpleNamespace(
            kind=kind, topic=topic, callback=callback, qos=qos
        )
        return self.subscriptions[topic]

    def destroy_subscription(self, subscription):
        del self.subscriptions[subscription.topic]

    def create_timer(self, period, callback, clock):
        return callback

    def destroy_timer(self, timer):
        pass

    def get_publishers_info_by_topic(self, topic):
        return []

    def get_logger(self):
        return self

    def info(self, text, **_):
        self.lines.append(text)

    warning = error = info

    def get_clock(self):
        return self

    def now(self):
        return Time(nanoseconds=self.nanoseconds)


class Rig:
    """Cameras of one node, with what is around them."""

    def __init__(self, *settings, max_batch=8, **more):
        self.node, self.live, self.engine = Node(), Parameters(), Engine(max_batch)
        self.scheduler = Scheduler()
        self.jobs = Jobs(self.scheduler, self.engine)
        self.cameras = {
            one.name: Camera(
                self.node, one, self.live, self.scheduler, FrameStatistics(), MODEL.classes, **more
            )
            for one in settings or [CameraSettings()]
        }
        for camera in self.cameras.values():
            camera.open()
            self.watch(camera.name)

    def publisher(self, name='', output='mask'):
        return self.node.publishers[self.cameras[name].result_topics[output]]

    def watch(self, name='', output='mask', subscribers=1):
        publisher = self.publisher(name, output)
        publisher.subscribers = subscribers
        return publisher.messages

    def send(self, message, name=''):
        camera = self.cameras[name]
        self.node.subscriptions[camera.topic].callback(message)
        if camera._decoder is not None:
            camera._decoder.drain()

    def count(self, name=''):
        """Received, segmented, and reasons of drops with how many."""
        summary = self.cameras[name].statistics.summary()
        drops = {reason: count for reason, count in summary.dropped.items() if count}
        return summary.received, summary.segmented, drops

    def close(self):
        for camera in self.cameras.values():
            camera.destroy()
