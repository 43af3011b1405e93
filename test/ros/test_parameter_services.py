# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's own parameter services over DDS: as rclpy's, but malformed requests get an answer."""

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterType, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)

from ..bags.bag_files import make_samples, write_bag
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


def test_all_that_ros2_param_asks_for_is_answered(node, peer, wait_until):
    def ask(service, name, **fields):
        return peer.call(service, f'/{node.get_name()}/{name}', service.Request(**fields))

    events = peer.collect(ParameterEvent, '/parameter_events')
    wait_until(lambda: peer.node.count_publishers('/parameter_events') > 1, 'the events')
    listed = ask(ListParameters, 'list_parameters').result.names
    assert {'model', 'model_sha256', 'limits.max_age', 'class_names', 'use_sim_time'} <= set(listed)
    types = ask(GetParameterTypes, 'get_parameter_types', names=listed).types
    values = ask(GetParameters, 'get_parameters', names=listed).values
    described = ask(DescribeParameters, 'describe_parameters', names=listed).descriptors
    assert list(types) == [one.type for one in values] == [one.type for one in described]
    assert [one.name for one in described] == list(listed)
    assert 'SHA-256' in described[list(listed).index('model_sha256')].description
    (result,) = ask(SetParameters, 'set_parameters', parameters=[GOOD]).results
    assert result.successful
    wait_until(
        lambda: any(one.name == 'max_rate' for e in list(events) for one in e.changed_parameters),
        'an event',
    )


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


@pytest.mark.parametrize(
    'module, name',
    [
        ('mbu_ros.node.diagnostics_text_node', 'diagnostics_text'),
        ('mbu_ros.evaluation.live.player_node', 'player'),
        ('mbu_ros.evaluation.live.evaluator_node', 'evaluator'),
    ],
)
def test_the_nodes_around_it_survive_malformed_requests_too(
    start_node, peer, tmp_path, module, name
):
    bag = write_bag(tmp_path / 'bag', make_samples(2))
    # Neither ends by itself here: the player waits for a subscriber, the evaluator for masks.
    start_node(module, {} if name == 'diagnostics_text' else {'bag': bag})
    request = SetParameters.Request(parameters=[Parameter(name='use_sim_time', value=BAD.value)])
    for _ in range(2):
        (result,) = peer.call(SetParameters, f'/{name}/set_parameters', request).results
        assert not result.successful and 'use_sim_time cannot be read' in result.reason
