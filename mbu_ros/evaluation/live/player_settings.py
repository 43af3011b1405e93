# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The player's parameters."""

from __future__ import annotations

PARAMETERS = {
    'bag': ('', 'Folder or file of the rosbag2 to play.'),
    'mode': (
        'recorded',
        'recorded: as logged. fixed: rate_hz images a second. acknowledged: each image when the '
        'mask of the one before has come.',
    ),
    'speed': (1.0, 'Factor on the speed of mode recorded; --rate of ros2 bag play.'),
    'rate_hz': (
        10.0,
        'Images of the first camera per second in mode fixed; one such period lies between two '
        'loops.',
    ),
    'ack_timeout': (10.0, 'Seconds after which a mask is given up in mode acknowledged.'),
    'topics': ([''], 'What to play besides the cameras; empty: all of the bag.'),
    'image_topics': ([''], 'The cameras; empty: all of the bag.'),
    'mask_topics': (
        ['segmentation/mask'],
        'Where masks of these cameras come in mode acknowledged, in the same order.',
    ),
    'clock_hz': (100.0, 'How often to publish the time of the bag on /clock.'),
    'loop': (False, 'Start again at the end, with the same stamps; it has no end.'),
    'wait_subscribers': (1, 'Start when each camera has so many subscribers; 0: at once.'),
    'wait_timeout': (60.0, 'Seconds to wait for subscribers before giving up.'),
}
"""Default and description of each."""
