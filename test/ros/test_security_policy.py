# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The policies of config/sros2 give the running node what it needs, and nothing more."""

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.node import NodeNameNonExistentError
from sensor_msgs.msg import CameraInfo, Image

from mbu_ros.imaging.messages import fill_image

SOURCE = Path(__file__).parents[2]
FOLDER = SOURCE / 'config' / 'sros2'
INCLUDE = '{http://www.w3.org/2001/XInclude}include'
CASES = {
    'segment.policy.xml': [''],
    'two_cameras.policy.xml': ['front', 'rear'],
}


def resolve(profile, name):
    """A name of a policy in full, as sros2 resolves it."""
    namespace = profile.get('ns').rstrip('/') + '/'
    if name.startswith('~'):
        return f'{namespace}{profile.get("node")}{name[1:]}'
    return name if name.startswith('/') else namespace + name


def rights(policy):
    """Names by the kind of right, such as 'publish', of a policy with one enclave."""
    found = {'publish': [], 'subscribe': [], 'reply': [], 'request': []}
    for profile in policy.iter('profile'):
        groups = []
        for child in profile:
            if child.tag == INCLUDE:
                groups += ElementTree.parse(FOLDER / child.get('href')).getroot()
            else:
                groups.append(child)
        for group in groups:
            for kind, verdict in group.attrib.items():
                assert verdict == 'ALLOW'
                found[kind] += [resolve(profile, name.text) for name in group]
    assert all(len(set(names)) == len(names) for names in found.values())
    return {kind: set(names) for kind, names in found.items()}


@pytest.fixture
def granted(request):
    """Rights without those that only other releases and installations make use of."""
    found = rights(ElementTree.parse(FOLDER / request.param).getroot())
    if importlib.util.find_spec('vision_msgs') is None:
        found['publish'] = {name for name in found['publish'] if 'label_info' not in name}
    if importlib.util.find_spec('type_description_interfaces') is None:  # ROS 2 Humble
        found['reply'].discard('/segment/get_type_description')
    return found


@pytest.mark.parametrize(
    'granted, cameras', CASES.items(), ids=CASES, indirect=['granted']
)
def test_the_node_has_what_it_is_granted_and_nothing_else(
    start_node, peer, wait_until, model_file, granted, cameras
):
    image_topics = {'': '/camera/image_raw'} | {c: f'/{c}/image_raw' for c in filter(None, cameras)}
    process = start_node(
        'mbu_ros.node.segment_node',
        {'model': model_file, 'engine': 'reference', 'cameras': cameras, 'use_sim_time': True},
        {f'{camera}/image'.lstrip('/'): image_topics[camera] for camera in cameras},
    )
    process.wait_for('Active')
    frame = Image()
    fill_image(frame, np.zeros((8, 8, 3), np.uint8), 'rgb8')
    publishers = [peer.publisher(Image, image_topics[camera]) for camera in cameras]
    for camera in cameras:
        topic = f'/{camera}/segmentation/camera_info'.replace('//', '/')
        peer.collect(CameraInfo, topic)

    def names(of_node):
        try:
            return {name for name, _ in of_node('segment', '/')}
        except NodeNameNonExistentError:  # topics of a node may be known before its name is
            return set()

    def used():
        for publisher in publishers:  # with a frame the node looks for who wants its camera_info
            publisher.publish(frame)
        return {
            'publish': names(peer.node.get_publisher_names_and_types_by_node),
            'subscribe': names(peer.node.get_subscriber_names_and_types_by_node),
            'reply': names(peer.node.get_service_names_and_types_by_node),
            'request': names(peer.node.get_client_names_and_types_by_node),
        }

    wait_until(lambda: used() == granted, lambda: f'{granted} instead of {used()}', 60.0)


def test_the_operator_of_the_manual_has_what_every_node_needs(ros, wait_until):
    (text,) = re.findall('<enclave.*?</enclave>', (SOURCE / 'SECURITY.md').read_text(), re.DOTALL)
    granted = rights(ElementTree.fromstring(text))
    node = ros.create_node('operator', start_parameter_services=False)
    try:
        wait_until(lambda: 'operator' in node.get_node_names(), 'the node in the graph')

        def used(of_node):
            return {name for name, _ in of_node('operator', '/')}

        wait_until(
            lambda: {'/rosout', '/parameter_events'}
            <= used(node.get_publisher_names_and_types_by_node),
            'its publishers',
        )
        assert used(node.get_publisher_names_and_types_by_node) <= granted['publish']
        assert used(node.get_subscriber_names_and_types_by_node) <= granted['subscribe']
        assert used(node.get_service_names_and_types_by_node) <= granted['reply']
    finally:
        node.destroy_node()
    assert granted['request'] == {'/segment/set_parameters', '/segment/change_state'}


@pytest.mark.parametrize('file', CASES)
def test_sros2_accepts_the_policy(file):
    reason = 'sros2 comes with ROS 2'
    pytest.importorskip('lxml', reason=reason)
    policy = pytest.importorskip('sros2.policy', reason=reason).load_policy(FOLDER / file)
    names = {element.text for element in policy.iter('topic', 'service')}
    assert {'~/change_state', 'segmentation/mask'} <= names
