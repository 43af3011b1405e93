#!/usr/bin/env python3
# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Behaves like `ros2 bag play` of Humble, where rosbag2 is not: `ros2 bag play BAG OPTIONS`.

Options and the order of what happens are those of ros2bag/verb/play.py and of
rosbag2_transport/player.cpp. What it was called with goes to STAND_IN_LOG.
"""

import json
import os
import sys
import time
from argparse import ArgumentParser, FileType
from pathlib import Path

import rclpy
import yaml
from rclpy.duration import Duration
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rosbag2_interfaces.srv import Resume
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

QOS_KEYS = {'history', 'depth', 'reliability', 'durability'}
TYPES = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
}


def parse(arguments):
    parser = ArgumentParser()
    parser.add_argument('bag_path')
    parser.add_argument('--read-ahead-queue-size', type=int, default=1000)
    parser.add_argument('-r', '--rate', type=float, default=1.0)
    parser.add_argument('--topics', default=[], nargs='+')
    parser.add_argument('--qos-profile-overrides-path', type=FileType('r'))
    parser.add_argument('--clock', type=float, nargs='?', const=40, default=0)
    parser.add_argument('--disable-keyboard-controls', action='store_true')
    parser.add_argument('-p', '--start-paused', action='store_true')
    parser.add_argument('--wait-for-all-acked', type=int, default=-1)
    return parser.parse_args(arguments)


def qos_of(overrides, topic):
    profile = overrides[topic]
    assert profile.keys() <= QOS_KEYS, profile
    reliability = QoSReliabilityPolicy.get_from_short_key(profile['reliability'])
    return QoSProfile(depth=profile['depth'], reliability=reliability)


def main():
    assert sys.argv[1:3] == ['bag', 'play'], sys.argv
    args = parse(sys.argv[3:])
    Path(os.environ['STAND_IN_LOG']).write_text(json.dumps(vars(args), default=str))
    overrides = yaml.safe_load(args.qos_profile_overrides_path)
    rclpy.init(args=[])
    node = rclpy.create_node('rosbag2_player')
    with Reader(args.bag_path) as reader:
        connections = [c for c in reader.connections if c.topic in args.topics]
        publishers = {
            c.topic: node.create_publisher(TYPES[c.msgtype], c.topic, qos_of(overrides, c.topic))
            for c in connections
        }
        now = reader.start_time
        paused = args.start_paused
        clock = node.create_publisher(
            Clock, '/clock', QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        )

        def tick():
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(now, 10**9)
            clock.publish(message)

        def resume(request, response):
            nonlocal paused
            paused = False
            return response

        node.create_timer(1 / args.clock, tick)
        node.create_service(Resume, '~/resume', resume)
        while paused:
            rclpy.spin_once(node, timeout_sec=0.1)
        begin = time.monotonic()
        for connection, logged, data in reader.messages(connections):
            due = begin + (logged - reader.start_time) * 1e-9 / args.rate
            while (left := due - time.monotonic()) > 0:
                rclpy.spin_once(node, timeout_sec=min(left, 0.01))
                now = logged - int(max(0.0, due - time.monotonic()) * args.rate * 1e9)
            publishers[connection.topic].publish(bytes(data))
    for publisher in publishers.values():
        publisher.wait_for_all_acked(Duration(nanoseconds=args.wait_for_all_acked * 10**6))
    node.destroy_node()
    rclpy.shutdown()


main()
