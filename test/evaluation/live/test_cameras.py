# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the node calls the cameras of a bag, and what is remapped."""

import pytest

from mbu_ros.bags.cameras import Camera
from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.cameras import name_cameras


def cameras(*topics):
    return [
        Camera(topic, None, COMPRESSED_IMAGE if topic.endswith('ed') else IMAGE, 3)
        for topic in topics
    ]


@pytest.mark.parametrize(
    'topics, names',
    [
        (['/front/image_raw'], ['']),
        (['/front/image_raw', '/rear/image_raw'], ['front', 'rear']),
        (['/robot/Front/image_raw/compressed', '/robot/rear/image'], ['front', 'rear']),
        (['/cam/front/color/image', '/cam/rear/color/image'], ['front_color', 'rear_color']),
        (['/stereo/left', '/stereo/right'], ['camera1', 'camera2']),
        (['/1/image', '/2/image'], ['camera1', 'camera2']),
        (['/image', '/rear/image'], ['camera1', 'camera2']),
    ],
)
def test_several_cameras_are_called_after_their_namespace(topics, names):
    assert [camera.name for camera in name_cameras(cameras(*topics))] == names


@pytest.mark.parametrize(
    'topic, name, rule',
    [
        ('/cam/image_raw', '', ('/image', '/cam/image_raw')),
        ('/cam/image_raw', 'front', ('/front/image', '/cam/image_raw')),
        ('/cam/image_raw/compressed', 'front', ('/front/image', '/cam/image_raw')),
        # The node's own topic ends in /compressed, whatever it is remapped to.
        ('/cam/squeezed', '', ('/image/compressed', '/cam/squeezed')),
    ],
)
def test_image_topics_are_remapped(topic, name, rule):
    (camera,) = name_cameras(cameras(topic), [name] if name else ())
    assert camera.remapping == rule
    assert camera.transport == ('compressed' if topic.endswith('ed') else 'raw')


def test_results_lie_below_the_name():
    (camera,) = name_cameras(cameras('/x'))
    assert camera.mask_topic == '/segmentation/mask'
    front, _ = name_cameras(cameras('/a/x', '/b/x'), ['front', 'rear'])
    assert front.mask_topic == '/front/segmentation/mask'
    assert front.timing_topic == '/front/segmentation/timing'


@pytest.mark.parametrize(
    'names, text',
    [
        (['front'], '1 names for 2 cameras'),
        (['front', 'front'], 'two cameras have the same name'),
        (['front', 'Rear'], "'Rear' is no name"),
    ],
)
def test_names_that_no_node_can_have_are_refused(names, text):
    with pytest.raises(InputError, match=text):
        name_cameras(cameras('/a/image', '/b/image'), names)
