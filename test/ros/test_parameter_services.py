# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Malformed requests to the node's parameter services, over DDS: an answer, and the node lives."""

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters, SetParametersAtomically

from .workshop import make_node, spinning

GOOD = Parameter(
    name='max_rate', value=ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=3.0)
)
BAD = Parameter(name='overlay_alpha', value=ParameterValue(type=200, double_value=0.1))


@pytest.fixture
def node(ros, request):
    with spinning(make_node(request.function.__name__, {'autostart': False})) as node:
        yield node


def value(peer, node, name):
    request = GetParameters.Request(names=[name])
    return peer.call(GetParameters, f'/{node.get_name()}/get_parameters', request).values[0]


def test_a_value_of_no_type_is_refused_alone(node, peer):
    request = SetParameters.Request(parameters=[BAD, GOOD])
    bad, good = peer.call(SetParameters, f'/{node.get_name()}/set_parameters', request).results
    assert not bad.successful and 'overlay_alpha cannot be read' in bad.reason
    assert good.successful and value(peer, node, 'max_rate').double_value == 3


def test_a_value_of_no_type_is_refused_with_what_was_to_be_set_together(node, peer):
    service = f'/{node.get_name()}/set_parameters_atomically'
    request = SetParametersAtomically.Request(parameters=[GOOD, BAD])
    result = peer.call(SetParametersAtomically, service, request).result
    assert not result.successful and 'overlay_alpha cannot be read' in result.reason
    assert value(peer, node, 'max_rate').double_value == 0
    request = SetParametersAtomically.Request(parameters=[GOOD])
    assert peer.call(SetParametersAtomically, service, request).result.successful
