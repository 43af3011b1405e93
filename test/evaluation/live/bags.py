# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small bags of two cameras, written with rosbags."""

import numpy as np
from rosbags.rosbag2 import Writer

from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE, TYPESTORE
from mbu_ros.bags.messages import make_compressed_image, make_header, make_image
from mbu_ros.bags.writer import STORAGES

START = 1_700_000_000_500_000_000
PERIOD = 100_000_000
CAMERAS = ('/front', '/rear')


def write_two_cameras(path, frames, *, storage='mcap', compressed=False, classes=5):
    """Images and labels of 60x80 pixels, the rear camera 30 ms after the front one."""
    random = np.random.default_rng(5)
    connections = {}
    with Writer(path, version=8, storage_plugin=STORAGES[storage]) as writer:

        def write(topic, kind, stamp, message):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPESTORE)
            writer.write(connections[topic], stamp, TYPESTORE.serialize_cdr(message, kind))

        for index in range(frames):
            for number, camera in enumerate(CAMERAS):
                stamp = START + index * PERIOD + number * 30_000_000
                header = make_header(stamp)
                blocks = random.integers(0, 256, (6, 8, 3), np.uint8)
                image = blocks.repeat(10, axis=0).repeat(10, axis=1)
                label = random.integers(0, classes, (60, 80)).astype(np.uint8)
                write(f'{camera}/label', IMAGE, stamp, make_image(header, label, 'mono8'))
                topic = f'{camera}/image_raw'
                if compressed:
                    message = make_compressed_image(header, image)
                    write(f'{topic}/compressed', COMPRESSED_IMAGE, stamp, message)
                else:
                    write(topic, IMAGE, stamp, make_image(header, image, 'rgb8'))
    return path
